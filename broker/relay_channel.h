// How the relay's process asks the supervisor of its run: one fixed question at a time over a
// socketpair of SOCK_SEQPACKET, and one fixed answer; events have none. The supervisor trusts
// nothing of it.

#ifndef PALYRA_BROKER_RELAY_CHANNEL_H_
#define PALYRA_BROKER_RELAY_CHANNEL_H_

#include <chrono>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "broker/relay_authority.h"

namespace palyra::broker {

// The relay's side: whoever it asks is at the other end of the socket. Once that does not answer in
// time and as it should, everything is denied, and the socket is shut down, which ends the relay
// whose owner it is (Relay::Run()) and tells the supervisor.
class RelayChannel final : public RelayAuthority {
 public:
  // Borrows the descriptor, and sets its timeouts.
  static Result<RelayChannel> Create(int fd, std::chrono::milliseconds patience = kPatience);
  RelayChannel(RelayChannel&& other) noexcept : fd_(other.fd_), is_broken_(other.is_broken_) {}
  RelayChannel& operator=(RelayChannel&&) = delete;
  ~RelayChannel() override = default;

  std::optional<Endpoint> OriginalDestination(const Endpoint& client,
                                              const Endpoint& local) override;
  std::optional<std::vector<Endpoint>> Reach(std::string_view name,
                                             const Endpoint& destination) override;
  void Record(const RelayEvent& event) override;

  // For the whole process waits meanwhile, and a supervisor may be compiling policies.
  static constexpr std::chrono::seconds kPatience{10};

 private:
  explicit RelayChannel(int fd) : fd_(fd) {}

  // Whole messages; false once the channel is broken.
  bool Send(std::span<const char> message);
  bool Receive(std::span<char> message);
  std::optional<std::vector<Endpoint>> Ask(std::span<const char> question);
  void Break();

  int fd_;
  bool is_broken_ = false;
};

// The supervisor's side: takes one question or event that waits, and passes it to `authority`,
// whose answer goes back. Names are canonical, details are printable ASCII. False where nothing
// waits; does not wait itself. kUnavailable: the other end is gone, or does not read; kInternal: it
// sent what is no question, and should be ended.
Result<bool> AnswerRelayQuestion(int fd, RelayAuthority& authority);

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_RELAY_CHANNEL_H_
