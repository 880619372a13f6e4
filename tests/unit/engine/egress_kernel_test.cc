// The third side of exactness: what the programs answer in the running kernel, for real calls, is
// what policy::Decide answers, and every denial is told with its reason.

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/live_run.h"
#include "policy/compile/endpoint.h"
#include "tests/support/require_feature.h"
#include "tests/unit/engine/net_caller.h"
#include "tests/unit/engine/own_kernel.h"
#include "tests/unit/engine/random_rules.h"

namespace palyra::engine {
namespace {

using policy::NetAction;
using policy::NetEvent;
using policy::Protocol;
using policy::RuleSet;
using policy::Ruling;
using policy::Verdict;

constexpr int kRuleSets = 80;
constexpr int kCallsOfEach = 100;

bool IsPing(Protocol protocol) {
  return protocol == Protocol::kIcmp || protocol == Protocol::kIcmpv6;
}

// No program sees the connect() of UDP-Lite, so the packet that follows is denied.
bool IsDeniedAtItsPacket(const NetEvent& call) {
  if (call.action == NetAction::kConnect) return call.protocol == Protocol::kUdplite;
  return IsPing(call.protocol);
}

// What a denied call comes to. Of a denied ICMPv6 packet the kernel tells its sender nothing.
int AnswerOfDenial(const NetEvent& call) {
  if (!IsDeniedAtItsPacket(call)) return EPERM;
  if (call.action == NetAction::kConnect) return kAllowedThenDenied;
  return call.protocol == Protocol::kIcmpv6 ? 0 : EPERM;
}

// The same destination as a dual-stack socket writes it.
NetEvent Mapped(NetEvent event) {
  std::array<uint8_t, 16> mapped = {};
  mapped[10] = mapped[11] = 0xFF;
  std::copy_n(event.address.begin(), 4, mapped.begin() + 12);
  event.is_ipv6 = true;
  event.address = mapped;
  return event;
}

bool IsMapped(const NetEvent& event) { return event.is_ipv6 && !Canonical(event).is_ipv6; }

bool IsUnspecifiedIpv6(const NetEvent& event) {
  return event.is_ipv6 && event.address == decltype(event.address){};
}

std::string Describe(const NetEvent& event) {
  std::array<char, INET6_ADDRSTRLEN> address = {};
  inet_ntop(event.is_ipv6 ? AF_INET6 : AF_INET, event.address.data(), address.data(),
            address.size());
  return std::string(policy::ActionName(event.action)) + " protocol " +
         std::to_string(static_cast<int>(event.protocol)) + " [" + address.data() +
         "]:" + std::to_string(event.port);
}

class EgressKernelTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (tests::JudgeHere(tests::Root()) == tests::Requirement::kMet) EnterNetworkWhereAllIsLocal();
  }

  void SetUp() override { PALYRA_REQUIRE_FEATURE(tests::Root()); }

  static LiveRun Start(const RuleSet& rules) {
    const OwnKernel& kernel = OwnKernel::Get();
    Result<LiveRun> run = LiveRun::Create(kernel.host(), kernel.objects(), rules);
    EXPECT_TRUE(run) << run.error().message;
    return *std::move(run);
  }

  // A call that a socket can make: one protocol of ping for each family, no sends over TCP, which
  // have no hook of their own, no packet to port 0, and no bind that leaves the port to the kernel
  // or is two questions.
  NetEvent PossibleCall(const RuleSet& rules) {
    while (true) {
      NetEvent event = random_.Event(rules);
      if (event.action == NetAction::kAccept || event.action == NetAction::kListen) continue;
      if (event.action == NetAction::kBind &&
          (event.port == 0 || IsPing(event.protocol) || IsUnspecifiedIpv6(event))) {
        continue;
      }
      if (event.protocol == Protocol::kUdplite && !udplite_) continue;
      if (event.protocol == (event.is_ipv6 ? Protocol::kIcmp : Protocol::kIcmpv6)) continue;
      if (event.action == NetAction::kSend && event.protocol == Protocol::kTcp) continue;
      if (IsPing(event.protocol)) event.port = 0;
      if (event.port == 0 && !IsPing(event.protocol) &&
          (event.action == NetAction::kSend || event.protocol == Protocol::kUdplite)) {
        continue;
      }
      if (!event.is_ipv6 && !IsPing(event.protocol) && random_.Below(3) == 0) return Mapped(event);
      return event;
    }
  }

  // The denials since the last time; each was counted.
  std::vector<palyra_event> Told(LiveRun& run) {
    std::vector<palyra_event> told;
    run.events().Drain([&told](const palyra_event& event) { told.push_back(event); }, 10);
    const uint64_t denied = run.ReadCounters().denied;
    EXPECT_EQ(denied - std::exchange(denied_[run.id()], denied), told.size());
    return told;
  }

  static void ExpectTold(const palyra_event& told, const NetEvent& asked, uint32_t reason,
                         uint64_t run, pid_t caller) {
    const NetEvent event = Canonical(asked);
    EXPECT_EQ(told.run, run);
    EXPECT_EQ(told.reason, reason);
    EXPECT_EQ(told.action, 1 << static_cast<int>(event.action));
    EXPECT_EQ(told.protocol, 1 << static_cast<int>(event.protocol));
    EXPECT_EQ(told.is_ipv6, event.is_ipv6 ? 1 : 0);
    EXPECT_EQ(std::memcmp(told.address, event.address.data(), sizeof(told.address)), 0);
    EXPECT_EQ(told.port, event.port);
    // To a mapped address even a connected socket sends by a call that names it.
    const bool by_call = !IsDeniedAtItsPacket(asked) || IsMapped(asked);
    EXPECT_EQ(told.hook == PALYRA_HOOK_EGRESS, !by_call);
    EXPECT_EQ(told.pid, by_call ? static_cast<uint32_t>(caller) : 0U);
    const std::array<uint8_t, sizeof(told.padding)> zero = {};
    EXPECT_EQ(std::memcmp(told.padding, zero.data(), zero.size()), 0);
  }

  RandomRules random_{20240607};
  bool udplite_ = HasUdplite();
  std::map<std::string, uint64_t> denied_;
};

TEST_F(EgressKernelTest, AnswersEveryCallAsItsRuleSet) {
  std::map<Verdict, int> seen;
  for (int set = 0; set < kRuleSets; ++set) {
    const RuleSet rules = random_.Rules();
    LiveRun run = Start(rules);
    const NetCaller caller(run.cgroup().path());
    for (int i = 0; i < kCallsOfEach; ++i) {
      const NetEvent call = PossibleCall(rules);
      const testing::ScopedTrace trace(__FILE__, __LINE__, Describe(call));
      const Ruling expected = policy::Decide(rules, Canonical(call));
      const int answer = caller.Try(call);
      const std::vector<palyra_event> told = Told(run);
      ASSERT_NE(answer, kNoSocket);
      // An address that cannot be used at all, such as a link-local one: there was no packet.
      if (IsDeniedAtItsPacket(call) && answer != AnswerOfDenial(call) && answer != 0) {
        ASSERT_TRUE(told.empty());
        continue;
      }
      ++seen[expected.verdict];
      if (expected.verdict == Verdict::kAllow) {
        ASSERT_NE(answer, EPERM) << policy::DumpText(rules);
        ASSERT_NE(answer, kAllowedThenDenied) << policy::DumpText(rules);
        ASSERT_TRUE(told.empty()) << policy::DumpText(rules);
      } else {
        ASSERT_EQ(answer, AnswerOfDenial(call)) << policy::DumpText(rules);
        ASSERT_EQ(told.size(), 1U) << policy::DumpText(rules);
        ExpectTold(told[0], call, expected.reason, run.cgroup().id(), caller.pid());
      }
    }
    EXPECT_EQ(run.ReadCounters().lost, 0U);
  }
  EXPECT_GT(seen[Verdict::kAllow], 200) << "the calls are not about the rules";
  EXPECT_GT(seen[Verdict::kAsk], 200);
  EXPECT_GT(seen[Verdict::kDeny], 200);
}

}  // namespace
}  // namespace palyra::engine
