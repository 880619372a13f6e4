// A resolver in a thread, with an authority and a clock that tests control, and its clients.

#ifndef PALYRA_TESTS_UNIT_BROKER_RESOLVER_FIXTURE_H_
#define PALYRA_TESTS_UNIT_BROKER_RESOLVER_FIXTURE_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "broker/resolver.h"
#include "tests/unit/broker/fake_server.h"
#include "tests/unit/broker/wire.h"

namespace palyra::broker {

struct Learned {
  std::string name;
  std::vector<std::string> addresses;
  std::chrono::seconds ttl;

  bool operator==(const Learned&) const = default;
};

// Allows every name that does not begin with "denied", reveals no special address, learns all.
class FakeAuthority : public NameAuthority {
 public:
  bool MayAsk(std::string_view name) override;
  bool MayReveal(std::string_view name, const Address& address) override;
  AddressSet Learn(std::string_view name, std::span<const Address> addresses,
                   std::chrono::seconds ttl) override;
  void Settle(std::string_view name, NameOutcome outcome) override;

  void Reveal(const std::string& address);
  void RefuseToLearn(const std::string& address);
  [[nodiscard]] std::vector<Learned> learned() const;
  [[nodiscard]] std::vector<std::pair<std::string, NameOutcome>> settled() const;

 private:
  mutable std::mutex mutex_;  // Guards all below.
  std::set<std::string> revealed_;
  std::set<std::string> not_learned_;
  std::vector<Learned> learned_;
  std::vector<std::pair<std::string, NameOutcome>> settled_;
};

// Starts at once, after what it has to do before, and is stopped by Stop() or at its end.
class RunningResolver {
 public:
  // `options` as given, but for the clock.
  RunningResolver(std::vector<Endpoint> servers, ResolverOptions options);
  RunningResolver(const RunningResolver&) = delete;
  RunningResolver& operator=(const RunningResolver&) = delete;
  ~RunningResolver();

  [[nodiscard]] Endpoint endpoint() const { return {Address::V4({127, 0, 0, 1}), port_}; }
  FakeAuthority& authority() { return authority_; }

  void Advance(std::chrono::milliseconds time) { offset_ += time.count(); }

  // Ends it, and gives what it counted.
  const ResolverCounters& Stop();

 private:
  FakeAuthority authority_;
  std::atomic<int64_t> offset_ = 0;
  uint16_t port_ = 0;
  UniqueFd stop_;
  std::optional<Resolver> resolver_;
  std::thread thread_;
};

// Options with which a test that waits for a timeout is quick, and one that must not meet one does
// not.
ResolverOptions PatientOptions();
ResolverOptions HastyOptions();

// A socket connected to the resolver; nothing waits longer than tests::kPatience.
class UdpClient {
 public:
  explicit UdpClient(const RunningResolver& resolver);

  void Send(const Bytes& packet) const;
  // Empty if nothing came.
  [[nodiscard]] Bytes Receive(std::chrono::milliseconds limit) const;
  [[nodiscard]] Bytes Receive() const;
  [[nodiscard]] Bytes Ask(const Bytes& packet) const;
  // A question without EDNS.
  [[nodiscard]] Bytes Ask(std::string_view name, uint16_t type) const;

 private:
  UniqueFd fd_;
};

class TcpClient {
 public:
  explicit TcpClient(const RunningResolver& resolver);

  // All of `bytes`, or as much as the resolver takes before it closes.
  void Send(const Bytes& bytes) const;
  // Empty at the end of the stream.
  [[nodiscard]] Bytes Receive() const;
  [[nodiscard]] bool IsClosed() const;
  void Finish() const;

 private:
  UniqueFd fd_;
};

// With its length before it.
Bytes Framed(const Bytes& message);

// The addresses in a reply, as texts; also those of a reply that is no answer: none.
std::vector<std::string> AddressesIn(const Bytes& reply, std::string_view name, uint16_t type);
std::chrono::seconds TtlIn(const Bytes& reply, std::string_view name, uint16_t type);

// A server's script: the same addresses, of the type that is asked, for every name.
FakeServer::Script Always(std::vector<std::string> addresses, uint32_t ttl = 300);

using Texts = std::vector<std::string>;

}  // namespace palyra::broker

#endif  // PALYRA_TESTS_UNIT_BROKER_RESOLVER_FIXTURE_H_
