// How the resolver's process asks the supervisor of its run: one fixed question at a time over a
// socketpair of SOCK_SEQPACKET, and one fixed answer. The supervisor trusts nothing of it.

#ifndef PALYRA_BROKER_NAME_CHANNEL_H_
#define PALYRA_BROKER_NAME_CHANNEL_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "broker/name_authority.h"

namespace palyra::broker {

// The resolver's side: whoever it asks is at the other end of the socket. Once that does not answer
// as it should, everything is denied. Addresses that were learned for as long already are not told
// again.
class NameChannel final : public NameAuthority {
 public:
  // Borrows the descriptor.
  explicit NameChannel(int fd) : fd_(fd) {}

  bool MayAsk(std::string_view name) override;
  bool MayReveal(std::string_view name, const Address& address) override;
  AddressSet Learn(std::string_view name, std::span<const Address> addresses,
                   std::chrono::seconds ttl) override;
  void Settle(std::string_view name, NameOutcome outcome) override;

 private:
  struct Told {
    std::vector<Address> addresses;
    std::chrono::nanoseconds end;  // CLOCK_BOOTTIME, as the supervisor counts.
  };

  int fd_;
  bool is_broken_ = false;
  // By name, and whether it was IPv4.
  std::map<std::pair<std::string, bool>, Told, std::less<>> told_;

  AddressSet Ask(uint8_t kind, std::string_view name, std::span<const Address> addresses,
                 std::chrono::seconds ttl, NameOutcome outcome = {});
};

struct NameQuestion {
  // kSettle only tells something; its answer means nothing.
  enum class Kind : uint8_t { kMayAsk, kMayReveal, kLearn, kSettle };
  Kind kind;
  std::string name;                // In canonical form.
  std::vector<Address> addresses;  // kMayReveal: one.
  std::chrono::seconds ttl{0};
  NameOutcome outcome = {};  // kSettle.
};

// The supervisor's side. Nothing where no question is waiting. kUnavailable: the other end is gone;
// kInternal: it sent what is no question, and should be ended.
Result<std::optional<NameQuestion>> ReceiveNameQuestion(int fd);

// The first bit answers MayAsk and MayReveal. Does not wait.
Result<void> AnswerNameQuestion(int fd, const AddressSet& answer);

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_NAME_CHANNEL_H_
