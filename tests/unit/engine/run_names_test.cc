// Addresses that a run's resolver gave out, as the programs judge them.

#include "engine/run_names.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "engine/clock.h"
#include "engine/live_run.h"
#include "tests/unit/engine/kernel_run.h"
#include "tests/unit/engine/net_caller.h"
#include "tests/unit/engine/own_kernel.h"
#include "tests/unit/engine/peer.h"

namespace palyra::engine {
namespace {

using policy::NetAction;
using policy::NetEvent;
using policy::Protocol;
using policy::RuleSet;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr uint64_t kNanosecondsPerMillisecond = 1'000'000;
constexpr const char* kAddress = "203.0.112.5";
constexpr const char* kAddress6 = "2a0f:ffff::5";

std::string Permit(const std::string& domain, const std::string& condition = "true") {
  return "permit (principal, action, resource in Palyra::Domain::\"" + domain + "\") when { " +
         condition + " };\n";
}

NetEvent Udp(uint16_t port, const std::string& address = kAddress) {
  return EventFor(
      NetAction::kConnect, Protocol::kUdp,
      {.is_ipv6 = address.find(':') != std::string::npos, .address = address, .port = port});
}

NetEvent Send(uint16_t port) {
  NetEvent event = Udp(port);
  event.action = NetAction::kSend;
  return event;
}

class RunNamesTest : public KernelRunTest {
 protected:
  // With a resolver that nobody asks.
  static RunNames& NamesOf(LiveRun& run, const RuleSet& rules) {
    return **run.UseBrokers({.resolver = {1, 2, 3, 4}, .relay = 0, .mark = 5}, {}, rules);
  }

  static void Learn(RunNames& names, const std::string& name, uint64_t end = In(kLong),
                    const std::string& address = kAddress) {
    const Result<void> learned = names.Learn(name, AddressFrom(address), false, end);
    ASSERT_TRUE(learned) << learned.error().message;
  }

  static uint64_t In(milliseconds time) {
    return NowBootNs() + static_cast<uint64_t>(time.count()) * kNanosecondsPerMillisecond;
  }

  static constexpr milliseconds kLong{600'000};
};

TEST_F(RunNamesTest, AnAddressIsJudgedByItsName) {
  const RuleSet rules = RulesFrom(Permit("a.test", "resource.port == 9"));
  LiveRun run = Start(rules);
  RunNames& names = NamesOf(run, rules);
  const NetCaller caller(run.cgroup().path());
  EXPECT_EQ(caller.Try(Udp(9)), EPERM) << "nobody looked it up";
  Learn(names, "b.a.test");
  Learn(names, "a.test", In(kLong), kAddress6);
  EXPECT_EQ(caller.Try(Udp(9)), 0);
  EXPECT_EQ(caller.Try(Udp(9, kAddress6)), 0);
  EXPECT_EQ(caller.Try(Udp(10)), kAllowedThenDenied) << "the first packet is the denial";
  EXPECT_EQ(caller.Try(Send(9)), 0);
  EXPECT_EQ(caller.Try(Send(10)), EPERM);
  EXPECT_EQ(caller.Try(Udp(9, "203.0.112.6")), EPERM) << "another address";
  EXPECT_THAT(names.NamesOf(AddressFrom(kAddress)), ElementsAre("b.a.test"));
  EXPECT_THAT(names.NamesOf(AddressFrom("203.0.112.6")), IsEmpty());
}

TEST_F(RunNamesTest, WhereEverythingIsDeniedNobodyIsAskedEither) {
  const RuleSet rules = RulesFrom(Permit("a.test"));
  LiveRun run = Start(rules);
  const UniqueFd resolver(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* bound = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(bind(resolver.get(), bound, size), 0);
  ASSERT_EQ(getsockname(resolver.get(), bound, &size), 0);
  const uint16_t port = ntohs(address.sin_port);
  const BrokerPorts ports = {.resolver = {port, port, port, port}, .relay = 0, .mark = 5};
  const NetCaller caller(run.cgroup().path());
  ASSERT_TRUE(run.UseBrokers(ports, {}, rules));
  EXPECT_EQ(caller.Try(Udp(53)), EPERM) << "somebody else listens there";
  const int fd = resolver.get();
  ASSERT_TRUE(run.UseBrokers(ports, {&fd, 1}, rules));
  EXPECT_EQ(caller.Try(Udp(53)), 0);
  EXPECT_EQ(caller.Try(Send(53)), 0);
  run.DenyEverything();
  EXPECT_EQ(caller.Try(Udp(53)), EPERM);
  EXPECT_EQ(caller.Try(Send(53)), EPERM);
}

TEST_F(RunNamesTest, OneRunsNamesAreNotAnothers) {
  const RuleSet rules = RulesFrom(Permit("a.test"));
  LiveRun run = Start(rules);
  LiveRun other = Start(rules);
  Learn(NamesOf(run, rules), "a.test");
  (void)NamesOf(other, rules);
  EXPECT_EQ(NetCaller(run.cgroup().path()).Try(Udp(9)), 0);
  EXPECT_EQ(NetCaller(other.cgroup().path()).Try(Udp(9)), EPERM);
}

TEST_F(RunNamesTest, AForbidUnderOneOfItsNamesHolds) {
  const RuleSet rules = RulesFrom(Permit("a.test") +
                                  "forbid (principal, action, resource in "
                                  "Palyra::Domain::\"b.test\") "
                                  "when { resource.port == 9 };");
  LiveRun run = Start(rules);
  RunNames& names = NamesOf(run, rules);
  const NetCaller caller(run.cgroup().path());
  Learn(names, "a.test");
  EXPECT_EQ(caller.Try(Send(9)), 0);
  Learn(names, "b.test");
  EXPECT_EQ(caller.Try(Send(9)), EPERM);
  EXPECT_EQ(caller.Try(Send(10)), 0);
}

TEST_F(RunNamesTest, ItsNamesEndOneByOne) {
  const RuleSet rules =
      RulesFrom(Permit("a.test", "resource.port == 9") + Permit("b.test", "resource.port == 10"));
  LiveRun run = Start(rules);
  RunNames& names = NamesOf(run, rules);
  const NetCaller caller(run.cgroup().path());
  const uint64_t soon = In(milliseconds(200));
  Learn(names, "a.test", soon);
  EXPECT_FALSE(names.next_expiry()) << "the programs see to it";
  Learn(names, "b.test");
  ASSERT_EQ(names.next_expiry(), soon);
  EXPECT_EQ(caller.Try(Send(9)), 0);
  ASSERT_TRUE(Eventually([&] { return NowBootNs() >= soon; }));
  names.Expire();
  EXPECT_EQ(caller.Try(Send(9)), EPERM);
  EXPECT_EQ(caller.Try(Send(10)), 0);
  EXPECT_FALSE(names.next_expiry());
}

TEST_F(RunNamesTest, APinnedNameStays) {
  const RuleSet rules =
      RulesFrom(Permit("a.test", "resource.port == 9") + Permit("b.test", "resource.port == 10"));
  LiveRun run = Start(rules);
  RunNames& names = NamesOf(run, rules);
  const NetCaller caller(run.cgroup().path());
  Learn(names, "a.test", kNeverEnds);
  Learn(names, "b.test", kNeverEnds);
  EXPECT_FALSE(names.next_expiry());
  names.Expire();
  EXPECT_EQ(caller.Try(Send(9)), 0);
  EXPECT_EQ(caller.Try(Send(10)), 0);
  EXPECT_EQ(caller.Try(Send(11)), EPERM);
}

// No call shows where an unconnected ping socket sends to, so each packet begins a flow.
TEST_F(RunNamesTest, PacketsThatNoCallBeganEndWithTheName) {
  const RuleSet rules = RulesFrom(Permit("a.test"));
  LiveRun run = Start(rules);
  RunNames& names = NamesOf(run, rules);
  const NetCaller caller(run.cgroup().path());
  const NetEvent ping = EventFor(NetAction::kSend, Protocol::kIcmp,
                                 {.is_ipv6 = false, .address = kAddress, .port = 0});
  Learn(names, "a.test");
  ASSERT_EQ(caller.Try(ping), 0);
  const uint64_t soon = In(milliseconds(100));
  Learn(names, "a.test", soon, "203.0.112.9");
  NetEvent other = ping;
  other.address[3] = 9;
  ASSERT_EQ(caller.Try(other), 0);
  ASSERT_TRUE(Eventually([&] { return NowBootNs() >= soon; }));
  EXPECT_EQ(caller.Try(other), EPERM);
  EXPECT_EQ(caller.Try(ping), 0);
}

TEST_F(RunNamesTest, WithoutATimeLeftThereIsNoName) {
  const RuleSet rules = RulesFrom(Permit("a.test"));
  LiveRun run = Start(rules);
  RunNames& names = NamesOf(run, rules);
  const NetCaller caller(run.cgroup().path());
  Learn(names, "a.test", NowBootNs());
  EXPECT_EQ(caller.Try(Udp(9)), EPERM);
  Learn(names, "a.test");
  EXPECT_EQ(caller.Try(Udp(9)), 0) << "it was looked up again";
}

TEST_F(RunNamesTest, NewRulesFindTheNamesThere) {
  const RuleSet rules = RulesFrom(Permit("a.test", "resource.port == 9"));
  const RuleSet others = RulesFrom(Permit("a.test", "resource.port == 10"));
  LiveRun run = Start(rules);
  RunNames& names = NamesOf(run, rules);
  const NetCaller caller(run.cgroup().path());
  Learn(names, "a.test");
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(run.Replace(others));
    EXPECT_EQ(caller.Try(Send(9)), EPERM);
    EXPECT_EQ(caller.Try(Send(10)), 0);
    ASSERT_TRUE(run.Replace(rules));
    EXPECT_EQ(caller.Try(Send(9)), 0);
    EXPECT_EQ(caller.Try(Send(10)), EPERM);
  }
}

TEST_F(RunNamesTest, WithoutAResolverNoAddressHasOne) {
  LiveRun run = Start(RulesFrom(""));
  const NetCaller caller(run.cgroup().path());
  ASSERT_TRUE(run.Replace(RulesFrom(Permit("a.test") +
                                    "permit (principal, action, resource) "
                                    "when { resource.port == 9 && !(resource has domain) };")));
  EXPECT_EQ(caller.Try(Udp(9)), 0);
  EXPECT_EQ(caller.Try(Udp(10)), EPERM);
}

TEST_F(RunNamesTest, OtherProcessesDoNotKnowThem) {
  const RuleSet rules = RulesFrom(Permit("a.test"));
  LiveRun run = Start(rules);
  (void)NamesOf(run, rules);
  const Result<Replacement> replaced = ReplaceRulesOfRun(Objects(), run.id(), RulesFrom(""));
  ASSERT_FALSE(replaced);
  EXPECT_EQ(replaced.error().code, ErrorCode::kUnsupported);
}

// 30 names of one address, each with a port of its own, make more spans than an entry holds.
TEST_F(RunNamesTest, NewRulesThatDoNotFitDenyTheAddress) {
  std::string permits;
  std::string few;
  for (int i = 0; i < 16; ++i) {
    const std::string name = std::to_string(i) + ".a.test";
    few += Permit(name, "resource.port == 9");
    permits += Permit(name, "resource.port == " + std::to_string(100 + 4 * i) +
                                " || resource.port == " + std::to_string(102 + 4 * i));
  }
  const RuleSet rules = RulesFrom(few);
  LiveRun run = Start(rules);
  RunNames& names = NamesOf(run, rules);
  const NetCaller caller(run.cgroup().path());
  for (int i = 0; i < 16; ++i) Learn(names, std::to_string(i) + ".a.test");
  EXPECT_EQ(caller.Try(Send(9)), 0);
  ASSERT_TRUE(run.Replace(RulesFrom(permits)));
  EXPECT_EQ(caller.Try(Send(9)), EPERM);
  EXPECT_EQ(caller.Try(Send(100)), EPERM);
}

TEST_F(RunNamesTest, TheyAreBounded) {
  const RuleSet rules = RulesFrom(Permit("a.test"));
  LiveRun run = Start(rules);
  RunNames& names = NamesOf(run, rules);
  for (size_t i = 0; i < kMaxNamesOfAddress; ++i) {
    Learn(names, std::to_string(i) + ".a.test");
  }
  EXPECT_FALSE(names.Learn("more.a.test", AddressFrom(kAddress), false, In(kLong)));
  NetAddress address = AddressFrom("11.0.0.0");
  for (size_t i = 1; i < kMaxAddressesOfRun; ++i) {
    address.bytes[2] = static_cast<uint8_t>(i >> 8U);
    address.bytes[3] = static_cast<uint8_t>(i);
    // Those of the first half end at once, and make room for others.
    const bool ends = i < kMaxAddressesOfRun / 2;
    ASSERT_TRUE(names.Learn("a.test", address, false, ends ? NowBootNs() : In(kLong)));
  }
  address.bytes[1] = 1;
  EXPECT_TRUE(names.Learn("a.test", address, false, In(kLong)));
}

// A name leads to a special address where rules speak of the address, and only so far.
TEST_F(RunNamesTest, SpecialAddressesNeedRulesOfTheirOwn) {
  const RuleSet rules = RulesFrom(Permit("a.test") +
                                  Permit("b.test",
                                         "resource.address == "
                                         "ip(\"10.0.0.7\")") +
                                  "permit (principal, action, resource) when { "
                                  "resource.address == ip(\"10.0.0.8\") && resource.port == 9 };");
  LiveRun run = Start(rules);
  RunNames& names = NamesOf(run, rules);
  const NetCaller caller(run.cgroup().path());
  const NetAddress seven = AddressFrom("10.0.0.7");
  const NetAddress eight = AddressFrom("10.0.0.8");
  EXPECT_FALSE(names.MayLeadTo("a.test", seven));
  EXPECT_TRUE(names.MayLeadTo("b.test", seven));
  EXPECT_TRUE(names.MayLeadTo("a.test", eight));
  ASSERT_TRUE(names.Learn("a.test", eight, true, In(kLong)));
  ASSERT_TRUE(names.Learn("b.test", seven, true, In(kLong)));
  EXPECT_EQ(caller.Try(Udp(9, "10.0.0.8")), 0);
  EXPECT_EQ(caller.Try(Udp(10, "10.0.0.8")), kAllowedThenDenied) << "the name opens no port there";
  EXPECT_EQ(caller.Try(Udp(10, "10.0.0.7")), 0);
}

}  // namespace
}  // namespace palyra::engine
