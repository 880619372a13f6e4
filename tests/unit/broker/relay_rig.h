// A relay on loopback for tests, between clients and upstreams that the test plays itself.

#ifndef PALYRA_TESTS_UNIT_BROKER_RELAY_RIG_H_
#define PALYRA_TESTS_UNIT_BROKER_RELAY_RIG_H_

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "broker/relay.h"

namespace palyra::tests {

// Every client wanted to go to `destination`; a name may be reached if it has addresses. The fields
// may be written while no connection is open.
class FakeAuthority : public broker::RelayAuthority {
 public:
  std::optional<broker::Endpoint> destination;
  std::map<std::string, std::vector<broker::Endpoint>, std::less<>> addresses;

  std::optional<broker::Endpoint> OriginalDestination(const broker::Endpoint& client,
                                                      const broker::Endpoint& local) override;
  std::optional<std::vector<broker::Endpoint>> Reach(std::string_view name,
                                                     const broker::Endpoint& asked) override;
  void Record(const broker::RelayEvent& event) override;

  // All events, once there are `count`; the test fails if they do not come.
  std::vector<broker::RelayEvent> Events(size_t count);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<broker::RelayEvent> events_;
};

// A TCP socket of one end.
class Peer {
 public:
  Peer() = default;
  explicit Peer(UniqueFd fd);

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] bool valid() const { return fd_.valid(); }

  // False if the connection is gone.
  bool Send(std::string_view bytes) const;
  // As much as goes at once.
  size_t SendSome(std::string_view bytes) const;
  void End() const;                                   // Its own direction.
  void Reset();                                       // Both, at once.
  [[nodiscard]] std::string Read(size_t size) const;  // Less only at the end.
  [[nodiscard]] std::string ReadAll() const;
  // The peer has reset the connection; waits for it.
  [[nodiscard]] bool WasReset() const;

 private:
  UniqueFd fd_;
};

Peer ConnectTo(const broker::Endpoint& endpoint);

// A listener on 127.0.0.1.
class Upstream {
 public:
  Upstream();
  [[nodiscard]] const broker::Endpoint& endpoint() const { return endpoint_; }
  [[nodiscard]] Peer Accept() const;
  // Nobody has connected.
  [[nodiscard]] bool Untouched() const;

 private:
  UniqueFd listener_;
  broker::Endpoint endpoint_;
};

// A relay that runs in a thread until the rig's end.
class RelayRig {
 public:
  explicit RelayRig(const broker::RelayOptions& options = {});
  RelayRig(const RelayRig&) = delete;
  RelayRig& operator=(const RelayRig&) = delete;
  ~RelayRig();

  FakeAuthority& authority() { return authority_; }
  broker::Relay& relay() { return *relay_; }
  [[nodiscard]] Peer Connect() const { return ConnectTo(endpoint_); }
  [[nodiscard]] const broker::Endpoint& endpoint() const { return endpoint_; }

  // `name` may be reached at that upstream, and clients want to go there.
  void Allow(const std::string& name, const Upstream& upstream);

  // True once that many connections are open.
  [[nodiscard]] bool WaitForOpen(size_t count) const;

  // What the authority says has changed.
  void AskAgain() const;

  void Stop();

 private:
  FakeAuthority authority_;
  UniqueFd changed_;
  UniqueFd heard_;  // Its other end.
  std::vector<UniqueFd> listeners_;
  broker::Endpoint endpoint_;
  std::unique_ptr<broker::Relay> relay_;
  std::thread thread_;
};

broker::Endpoint Loopback(uint16_t port);

// At any port of 127.0.0.1.
std::vector<UniqueFd> OneListener();

std::string Get(std::string_view host, std::string_view target = "/");

}  // namespace palyra::tests

#endif  // PALYRA_TESTS_UNIT_BROKER_RELAY_RIG_H_
