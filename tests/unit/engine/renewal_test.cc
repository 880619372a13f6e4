// Rules with an end: the kernel keeps it, and the supervisor brings the next ones.

#include "engine/renewal.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <time.h>

#include <cerrno>
#include <chrono>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "engine/clock.h"
#include "engine/live_run.h"
#include "tests/support/require_feature.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/engine/net_caller.h"
#include "tests/unit/engine/own_kernel.h"
#include "tests/unit/engine/peer.h"

namespace palyra::engine {
namespace {

using policy::NetAction;
using policy::Protocol;
using policy::RuleSet;
using policy::Verdict;
using std::chrono::milliseconds;

// Longer than a run takes to start, on an emulated processor too.
constexpr int64_t kSoonMs = 2000;
constexpr int64_t kHourMs = 3'600'000;

RuleSet AllowUntil(int64_t valid_until_ms) {
  RuleSet rules = Everything(Verdict::kAllow);
  rules.valid_until_ms = valid_until_ms;
  return rules;
}

class RenewalTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (tests::JudgeHere(tests::Root()) == tests::Requirement::kMet) EnterNetworkWhereAllIsLocal();
  }

  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(tests::Root());
    OwnKernel::Get();  // Installed before a clock runs.
  }

  static LiveRun Start(const RuleSet& rules) {
    const OwnKernel& kernel = OwnKernel::Get();
    Result<LiveRun> run = LiveRun::Create(kernel.host(), kernel.objects(), rules);
    EXPECT_TRUE(run) << run.error().message;
    return *std::move(run);
  }

  static int Try(const NetCaller& caller) {
    return caller.Try(EventFor(NetAction::kConnect, Protocol::kUdp,
                               {.is_ipv6 = false, .address = "127.0.0.1", .port = 9}));
  }

  static void SleepUntil(int64_t wall_ms) {
    while (NowWallMs() <= wall_ms) std::this_thread::sleep_for(milliseconds(5));
  }

  // What a supervisor does, for that long.
  static void Serve(RuleRenewal& renewal, milliseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    while (std::chrono::steady_clock::now() < end) {
      pollfd waited = {.fd = renewal.fd(), .events = POLLIN, .revents = 0};
      if (poll(&waited, 1, 10) == 1) renewal.OnReadable();
    }
  }

  static std::vector<uint32_t> Reasons(LiveRun& run) {
    std::vector<uint32_t> reasons;
    // Those of earlier runs in the same ring count too.
    run.events().Drain([&](const palyra_event& event) { reasons.push_back(event.reason); },
                       1 << 16);
    return reasons;
  }
};

TEST_F(RenewalTest, WithoutOneEverythingIsDeniedAtTheEnd) {
  const int64_t end = NowWallMs() + kSoonMs;
  LiveRun run = Start(AllowUntil(end));
  const NetCaller caller(run.cgroup().path());
  EXPECT_EQ(Try(caller), 0);
  SleepUntil(end);
  EXPECT_EQ(Try(caller), EPERM);
  EXPECT_EQ(Reasons(run), std::vector{PALYRA_REASON_EXPIRED});
}

TEST_F(RenewalTest, RulesThatHaveExpiredAllowNothing) {
  for (const int64_t end : {int64_t{-5}, int64_t{0}, int64_t{1}, NowWallMs() - 1}) {
    const LiveRun run = Start(AllowUntil(end));
    const NetCaller caller(run.cgroup().path());
    EXPECT_EQ(Try(caller), EPERM) << end;
  }
}

TEST_F(RenewalTest, BringsTheNextRules) {
  const int64_t end = NowWallMs() + kSoonMs;
  LiveRun run = Start(AllowUntil(end));
  int asked = 0;
  uint32_t renewed = 0;
  Result<RuleRenewal> renewal = RuleRenewal::Start(
      run, end,
      {.renew = [&]() -> Result<SourcedRules> {
         ++asked;
         EXPECT_GE(NowWallMs(), end);
         return SourcedRules{AllowUntil(NowWallMs() + kHourMs)};
       },
       .on_renewed = [&](uint32_t profile, const SourcedRules&) { renewed = profile; },
       .on_failure = [](const Error& error) { ADD_FAILURE() << error.message; }});
  ASSERT_TRUE(renewal);
  const NetCaller caller(run.cgroup().path());
  ASSERT_TRUE(Eventually([&] {
    Serve(*renewal, milliseconds(20));
    return asked > 0;
  }));
  EXPECT_EQ(Try(caller), 0);
  EXPECT_EQ(asked, 1);
  EXPECT_NE(renewed, run.first_profile());
  EXPECT_EQ(OwnKernel::Get().objects().runs().ProfileOf(run.cgroup().id()), renewed);
}

TEST_F(RenewalTest, ThatFailsLeavesEverythingDeniedAndIsTriedAgain) {
  const int64_t end = NowWallMs() + kSoonMs;
  LiveRun run = Start(AllowUntil(end));
  int asked = 0;
  int failures = 0;
  Result<RuleRenewal> renewal =
      RuleRenewal::Start(run, end,
                         {.renew = [&]() -> Result<SourcedRules> {
                            ++asked;
                            if (asked == 1)
                              return Fail(ErrorCode::kRefused, "a policy that cannot be compiled");
                            if (asked == 2) return SourcedRules{AllowUntil(NowWallMs() - 1)};
                            return SourcedRules{AllowUntil(NowWallMs() + kHourMs)};
                          },
                          .on_renewed = nullptr,
                          .on_failure = [&](const Error&) { ++failures; }});
  ASSERT_TRUE(renewal);
  const NetCaller caller(run.cgroup().path());
  for (const int expected : {1, 2}) {
    ASSERT_TRUE(Eventually([&] {
      Serve(*renewal, milliseconds(10));
      return asked >= expected;
    }));
    ASSERT_EQ(failures, expected);
    EXPECT_EQ(Try(caller), EPERM);
  }
  ASSERT_TRUE(Eventually([&] {
    Serve(*renewal, milliseconds(10));
    return asked >= 3;
  }));
  EXPECT_EQ(Try(caller), 0);
  EXPECT_EQ(failures, 2);
}

TEST_F(RenewalTest, LeavesTheRulesOfOthersAlone) {
  const int64_t end = NowWallMs() + kSoonMs;
  LiveRun run = Start(AllowUntil(end));
  int asked = 0;
  Result<RuleRenewal> renewal =
      RuleRenewal::Start(run, end,
                         {.renew = [&]() -> Result<SourcedRules> {
                            ++asked;
                            return SourcedRules{Everything(Verdict::kAllow)};
                          },
                          .on_renewed = nullptr,
                          .on_failure = nullptr});
  ASSERT_TRUE(renewal);
  const KernelObjects& objects = OwnKernel::Get().objects();
  ASSERT_TRUE(ReplaceRulesOfRun(objects, run.id(), Everything(Verdict::kDeny)));
  SleepUntil(end);
  Serve(*renewal, milliseconds(100));
  EXPECT_EQ(asked, 0);
  const NetCaller caller(run.cgroup().path());
  EXPECT_EQ(Try(caller), EPERM);
  EXPECT_EQ(Reasons(run), std::vector{policy::kReasonDefaultDeny});
}

// Versions of the operator's policies, of which only the change matters here.
class ChangeTest : public RenewalTest {
 protected:
  void PutInForce(const std::string& text) {
    PolicyBundle bundle;
    bundle.policies.push_back({.name = "a.cedar", .text = text});
    ASSERT_TRUE(store_.Load(bundle, 1));
  }

  // True once the change was noticed.
  static bool Notice(RuleRenewal& renewal) {
    pollfd waited = {.fd = renewal.watch_fd(), .events = POLLIN, .revents = 0};
    if (poll(&waited, 1, 30'000) != 1) return false;
    renewal.OnChange();
    return true;
  }

  tests::TempDir files_;
  PolicyStore store_{files_.Path("store")};
};

TEST_F(ChangeTest, BringsWhatTheOperatorPutInForce) {
  const Result<PolicyWatch> watch = PolicyWatch::Start(store_);
  ASSERT_TRUE(watch) << watch.error().message;
  LiveRun run = Start(Everything(Verdict::kAllow));
  Verdict wanted = Verdict::kDeny;
  Result<RuleRenewal> renewal = RuleRenewal::Start(
      run, std::nullopt,
      {.renew = [&]() -> Result<SourcedRules> { return SourcedRules{Everything(wanted)}; },
       .on_renewed = nullptr,
       .on_failure = [](const Error& error) { ADD_FAILURE() << error.message; }},
      &*watch);
  ASSERT_TRUE(renewal);
  const NetCaller caller(run.cgroup().path());
  EXPECT_EQ(Try(caller), 0);
  PutInForce("first");
  ASSERT_TRUE(Notice(*renewal));
  EXPECT_EQ(Try(caller), EPERM);
  wanted = Verdict::kAllow;
  PutInForce("second");
  ASSERT_TRUE(Notice(*renewal));
  EXPECT_EQ(Try(caller), 0);
}

TEST_F(ChangeTest, ThatCannotBeCompiledDeniesEverythingUntilItCan) {
  const Result<PolicyWatch> watch = PolicyWatch::Start(store_);
  ASSERT_TRUE(watch);
  LiveRun run = Start(Everything(Verdict::kAllow));
  bool can = false;
  Result<RuleRenewal> renewal =
      RuleRenewal::Start(run, std::nullopt,
                         {.renew = [&]() -> Result<SourcedRules> {
                            if (!can) return Fail(ErrorCode::kRefused, "no");
                            return SourcedRules{Everything(Verdict::kAllow)};
                          },
                          .on_renewed = nullptr,
                          .on_failure = nullptr},
                         &*watch);
  ASSERT_TRUE(renewal);
  const NetCaller caller(run.cgroup().path());
  PutInForce("first");
  ASSERT_TRUE(Notice(*renewal));
  EXPECT_EQ(Try(caller), EPERM);
  EXPECT_EQ(Reasons(run), std::vector{PALYRA_REASON_EXPIRED});
  can = true;
  PutInForce("second");
  ASSERT_TRUE(Notice(*renewal));
  EXPECT_EQ(Try(caller), 0);
}

TEST_F(ChangeTest, ThatCannotBePutInForceDeniesEverything) {
  const Result<PolicyWatch> watch = PolicyWatch::Start(store_);
  ASSERT_TRUE(watch);
  LiveRun run = Start(Everything(Verdict::kAllow));
  Result<RuleRenewal> renewal = RuleRenewal::Start(
      run, std::nullopt,
      {.renew = []() -> Result<SourcedRules> { return SourcedRules{Everything(Verdict::kDeny)}; },
       .on_renewed = nullptr,
       .on_failure = nullptr},
      &*watch);
  ASSERT_TRUE(renewal);
  // As a run whose names somebody else knows.
  OwnKernel::Get().objects().runs().SetBrokers(run.cgroup().id(),
                                               {.resolver = {1, 2, 3, 4}, .relay = 0, .mark = 5});
  const NetCaller caller(run.cgroup().path());
  EXPECT_EQ(Try(caller), 0);
  PutInForce("first");
  ASSERT_TRUE(Notice(*renewal));
  EXPECT_EQ(Try(caller), EPERM);
}

TEST_F(ChangeTest, UnderTheRulesOfOthersDeniesEverything) {
  const Result<PolicyWatch> watch = PolicyWatch::Start(store_);
  ASSERT_TRUE(watch);
  LiveRun run = Start(Everything(Verdict::kDeny));
  int failures = 0;
  Result<RuleRenewal> renewal = RuleRenewal::Start(
      run, std::nullopt,
      {.renew = nullptr, .on_renewed = nullptr, .on_failure = [&](const Error&) { ++failures; }},
      &*watch);
  ASSERT_TRUE(renewal);
  const KernelObjects& objects = OwnKernel::Get().objects();
  ASSERT_TRUE(ReplaceRulesOfRun(objects, run.id(), Everything(Verdict::kAllow)));
  const NetCaller caller(run.cgroup().path());
  EXPECT_EQ(Try(caller), 0);
  PutInForce("first");
  ASSERT_TRUE(Notice(*renewal));
  EXPECT_EQ(Try(caller), EPERM);
  EXPECT_EQ(failures, 1);
}

// The wall clock is the machine's, so only where the machine is ours.
class ClockTest : public RenewalTest {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(tests::KernelLane());
    RenewalTest::SetUp();
  }

  static void MoveClock(int64_t ms) {
    const int64_t at = NowWallMs() + ms;
    const timespec time = {.tv_sec = at / 1000, .tv_nsec = at % 1000 * 1'000'000};
    ASSERT_EQ(clock_settime(CLOCK_REALTIME, &time), 0);
  }
};

TEST_F(ClockTest, MovesTheEndWithIt) {
  const int64_t end = NowWallMs() + kHourMs;
  LiveRun run = Start(AllowUntil(end));
  int asked = 0;
  Result<RuleRenewal> renewal = RuleRenewal::Start(run, end,
                                                   {.renew = [&]() -> Result<SourcedRules> {
                                                      ++asked;
                                                      return Fail(ErrorCode::kRefused, "no");
                                                    },
                                                    .on_renewed = nullptr,
                                                    .on_failure = nullptr});
  ASSERT_TRUE(renewal);
  const NetCaller caller(run.cgroup().path());
  EXPECT_EQ(Try(caller), 0);
  MoveClock(2 * kHourMs);
  Serve(*renewal, milliseconds(100));
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(Try(caller), EPERM);
  MoveClock(-2 * kHourMs);
  Serve(*renewal, milliseconds(100));
  EXPECT_EQ(Try(caller), 0);
  EXPECT_EQ(asked, 1);
}

TEST(Clock, GivesTheBootTimeOfAWallTime) {
  EXPECT_EQ(BootDeadlineOf(std::nullopt), 0U);
  EXPECT_EQ(BootDeadlineOf(std::numeric_limits<int64_t>::min()), 1U);
  EXPECT_GT(BootDeadlineOf(std::numeric_limits<int64_t>::max()), NowBootNs());
  const uint64_t before = NowBootNs();
  const uint64_t deadline = BootDeadlineOf(NowWallMs() + kHourMs);
  const uint64_t hour = static_cast<uint64_t>(kHourMs) * 1'000'000;
  EXPECT_GE(deadline + 2'000'000, before + hour);
  EXPECT_LE(deadline, NowBootNs() + hour);
}

}  // namespace
}  // namespace palyra::engine
