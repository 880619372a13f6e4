// Connections that are to be verified: where the programs lead them, and what the relay is told.

#include "engine/run_relay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "engine/clock.h"
#include "engine/live_run.h"
#include "tests/unit/engine/kernel_run.h"
#include "tests/unit/engine/net_caller.h"
#include "tests/unit/engine/peer.h"

namespace palyra::engine {
namespace {

using policy::NetAction;
using policy::NetEvent;
using policy::Protocol;
using policy::RuleSet;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kAddress = "203.0.112.5";
constexpr const char* kAddress6 = "2a0f:ffff::5";
constexpr uint32_t kMark = 0x5e11;
constexpr size_t kMost = 4;

RuleSet VerifiesPort443() {
  return RulesFrom(
      "@verify(\"sni\") permit (principal, action == Palyra::Action::\"net.connect\", resource) "
      "when { resource.port == 443 };");
}

NetEvent Call(const std::string& address, Protocol protocol = Protocol::kTcp, uint16_t port = 443,
              NetAction action = NetAction::kConnect) {
  return EventFor(
      action, protocol,
      {.is_ipv6 = address.find(':') != std::string::npos, .address = address, .port = port});
}

NetEndpoint EndpointOf(const std::string& address, uint16_t port = 443) {
  return {.address = AddressFrom(address), .port = port};
}

// Listens on one port of 127.0.0.1 and ::1.
class Listeners {
 public:
  Listeners() {
    sockaddr_in v4 = {};
    v4.sin_family = AF_INET;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    v4_ = Listen(AF_INET, &v4, sizeof(v4));
    socklen_t size = sizeof(v4);
    EXPECT_EQ(getsockname(v4_.get(), reinterpret_cast<sockaddr*>(&v4), &size), 0);
    port_ = ntohs(v4.sin_port);
    sockaddr_in6 v6 = {};
    v6.sin6_family = AF_INET6;
    v6.sin6_addr = in6addr_loopback;
    v6.sin6_port = v4.sin_port;
    v6_ = Listen(AF_INET6, &v6, sizeof(v6));
  }

  [[nodiscard]] uint16_t port() const { return port_; }
  [[nodiscard]] std::array<int, 2> fds() const { return {v4_.get(), v6_.get()}; }

  // The port of the next client; nothing where none waits.
  [[nodiscard]] std::optional<uint16_t> Accept(bool is_ipv6) const {
    sockaddr_in6 peer = {};
    socklen_t size = sizeof(peer);
    const UniqueFd client(accept4((is_ipv6 ? v6_ : v4_).get(), reinterpret_cast<sockaddr*>(&peer),
                                  &size, SOCK_NONBLOCK));
    if (!client.valid()) return std::nullopt;
    return ntohs(peer.sin6_port);  // At the same place in a sockaddr_in.
  }

 private:
  static UniqueFd Listen(int family, const void* address, socklen_t size) {
    UniqueFd fd(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int on = 1;
    if (family == AF_INET6) setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    EXPECT_EQ(bind(fd.get(), static_cast<const sockaddr*>(address), size), 0);
    EXPECT_EQ(listen(fd.get(), 16), 0);
    return fd;
  }

  UniqueFd v4_;
  UniqueFd v6_;
  uint16_t port_ = 0;
};

class RunRelayTest : public KernelRunTest {
 protected:
  static RunNames& UseRelay(LiveRun& run, const Listeners& listeners, const RuleSet& rules,
                            bool is_registered = true) {
    const auto fds = listeners.fds();
    const std::span<const int> sockets = is_registered ? std::span(fds) : std::span<const int>();
    return **run.UseBrokers({.resolver = {}, .relay = listeners.port(), .mark = kMark}, sockets,
                            rules);
  }

  static RunRelay RelayOf(const LiveRun& run, const RunNames& names) {
    return {Objects(), run.cgroup().id(), names};
  }
};

TEST_F(RunRelayTest, LeadsConnectionsToTheRelayWhichIsToldWhereTheyWanted) {
  const RuleSet rules = VerifiesPort443();
  LiveRun run = Start(rules);
  const Listeners listeners;
  const RunRelay relay = RelayOf(run, UseRelay(run, listeners, rules));
  const NetCaller caller(run.cgroup().path());
  for (const char* address : {kAddress, kAddress6}) {
    const bool is_ipv6 = EndpointOf(address).address.is_ipv6;
    EXPECT_EQ(caller.Try(Call(address)), EINPROGRESS) << address;
    const std::optional<uint16_t> client = listeners.Accept(is_ipv6);
    ASSERT_TRUE(client) << address;
    EXPECT_EQ(relay.TakeDestination(is_ipv6, *client), EndpointOf(address));
    EXPECT_EQ(relay.TakeDestination(is_ipv6, *client), std::nullopt) << "told once";
  }
  const std::string mapped = std::string("::ffff:") + kAddress;
  EXPECT_EQ(caller.Try(Call(mapped)), EINPROGRESS);
  const std::optional<uint16_t> client = listeners.Accept(/*is_ipv6=*/false);
  ASSERT_TRUE(client);
  EXPECT_EQ(relay.TakeDestination(false, *client), EndpointOf(kAddress));
}

TEST_F(RunRelayTest, WhatCannotBeVerifiedIsDenied) {
  const RuleSet rules = VerifiesPort443();
  LiveRun run = Start(rules);
  const NetCaller caller(run.cgroup().path());
  EXPECT_EQ(caller.Try(Call(kAddress)), EPERM) << "no relay";
  const Listeners listeners;
  UseRelay(run, listeners, rules);
  EXPECT_EQ(caller.Try(Call(kAddress, Protocol::kUdp)), EPERM);
  EXPECT_EQ(caller.Try(Call(kAddress, Protocol::kUdp, 443, NetAction::kSend)), EPERM);
  EXPECT_EQ(caller.Try(Call(kAddress, Protocol::kTcp, 80)), EPERM);
  EXPECT_EQ(caller.Try(Call("127.0.0.1", Protocol::kTcp, listeners.port())), EPERM);
  EXPECT_EQ(listeners.Accept(false), std::nullopt);
}

// Once the relay is gone, anybody may bind its port.
TEST_F(RunRelayTest, APortThatIsSomebodyElsesIsNotUsed) {
  const RuleSet rules = VerifiesPort443();
  LiveRun run = Start(rules);
  const Listeners stranger;
  UseRelay(run, stranger, rules, /*is_registered=*/false);
  const NetCaller caller(run.cgroup().path());
  EXPECT_EQ(caller.Try(Call(kAddress)), EPERM);
  EXPECT_EQ(caller.Try(Call(kAddress6)), EPERM);
  LiveRun other = Start(rules);
  UseRelay(other, stranger, rules);
  EXPECT_EQ(caller.Try(Call(kAddress)), EPERM) << "the relay of another run";
  EXPECT_EQ(stranger.Accept(false), std::nullopt);
  EXPECT_EQ(stranger.Accept(true), std::nullopt);
}

TEST_F(RunRelayTest, NobodyTakesWhatIsLeftWhenTheRunEnds) {
  const RuleSet rules = VerifiesPort443();
  LiveRun run = Start(rules);
  const Listeners listeners;
  const RunRelay relay = RelayOf(run, UseRelay(run, listeners, rules));
  const NetCaller caller(run.cgroup().path());
  EXPECT_EQ(caller.Try(Call(kAddress)), EINPROGRESS);
  const std::optional<uint16_t> client = listeners.Accept(false);
  ASSERT_TRUE(client);
  ASSERT_TRUE(run.Remove());
  EXPECT_EQ(relay.TakeDestination(false, *client), std::nullopt);
}

TEST_F(RunRelayTest, ANameIsReachedAtItsOwnAddresses) {
  const RuleSet rules = RulesFrom(
      "@verify(\"sni\") permit (principal, action == Palyra::Action::\"net.connect\", resource in "
      "Palyra::Domain::\"a.test\") when { resource.port == 443 };");
  LiveRun run = Start(rules);
  const Listeners listeners;
  RunNames& names = UseRelay(run, listeners, rules);
  const RunRelay relay = RelayOf(run, names);
  const uint64_t end = NowBootNs() + 60'000'000'000U;
  const NetAddress first = EndpointOf(kAddress).address;
  const NetAddress second = EndpointOf("203.0.112.9").address;
  ASSERT_TRUE(names.Learn("a.test", first, false, end));
  ASSERT_TRUE(names.Learn("a.test", second, false, end));
  ASSERT_TRUE(names.Learn("past.a.test", second, false, 1));
  const NetEndpoint destination = EndpointOf("203.0.112.9");
  EXPECT_THAT(relay.AddressesOf("a.test", destination, kMost), ElementsAre(second, first));
  EXPECT_THAT(relay.AddressesOf("a.test", EndpointOf("203.0.112.9", 80), kMost), IsEmpty());
  EXPECT_THAT(relay.AddressesOf("past.a.test", destination, kMost), IsEmpty());
  EXPECT_THAT(relay.AddressesOf("never.a.test", destination, kMost), IsEmpty());
  EXPECT_THAT(relay.AddressesOf("a.test", destination, 1), ElementsAre(second));
  EXPECT_TRUE(relay.MayReach("a.test", destination));
  EXPECT_FALSE(relay.MayReach("evil.test", destination));
  EXPECT_FALSE(relay.MayReach("a.test", EndpointOf("198.51.100.1"))) << "nobody looked it up";
  run.DenyEverything();
  EXPECT_FALSE(relay.MayReach("a.test", destination));
}

}  // namespace
}  // namespace palyra::engine
