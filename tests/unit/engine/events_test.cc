// Denials on their way from the programs to the supervisor.

#include "engine/events.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/live_run.h"
#include "tests/support/require_feature.h"
#include "tests/unit/engine/net_caller.h"
#include "tests/unit/engine/own_kernel.h"

namespace palyra::engine {
namespace {

using Ports = std::vector<uint16_t>;

constexpr int kAll = 1 << 16;

class EventsTest : public testing::Test {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(tests::Root());
    before_ = OwnKernel::Get().Entries();
  }

  void TearDown() override {
    if (before_.empty()) return;  // Skipped.
    EXPECT_EQ(OwnKernel::Get().Entries(), before_);
    EXPECT_TRUE(OwnKernel::Get().HoldsWholeProfilesOnly());
    EXPECT_TRUE(OwnKernel::Get().Runs().empty());
  }

  // A run that may reach nothing.
  static LiveRun Start() {
    const OwnKernel& kernel = OwnKernel::Get();
    const policy::RuleSet nothing = {
        .prefixes = {}, .classes = {{}}, .reasons = {{.layers = {{policy::Layer::kCaller, {}}}}}};
    Result<LiveRun> run = LiveRun::Create(kernel.host(), kernel.objects(), nothing);
    EXPECT_TRUE(run) << run.error().message;
    return *std::move(run);
  }

  // Is denied once for each port.
  static void Knock(const NetCaller& caller, uint16_t first, int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_EQ(caller.Try({.action = policy::NetAction::kConnect,
                            .protocol = policy::Protocol::kUdp,
                            .is_ipv6 = false,
                            .address = {192, 0, 2, 1},
                            .port = static_cast<uint16_t>(first + i)}),
                EPERM);
    }
  }

  static Ports Drain(LiveRun& run, int most = kAll) {
    Ports ports;
    run.events().Drain([&ports](const palyra_event& event) { ports.push_back(event.port); }, most);
    return ports;
  }

  static bool IsReadable(LiveRun& run) {
    pollfd waited = {.fd = run.events().epoll_fd(), .events = POLLIN, .revents = 0};
    return poll(&waited, 1, 0) == 1;
  }

  std::map<std::string, size_t> before_;
};

TEST_F(EventsTest, ComeInTheOrderOfTheCalls) {
  LiveRun run = Start();
  const NetCaller caller(run.cgroup().path());
  EXPECT_FALSE(IsReadable(run));
  Knock(caller, 1, 5);
  EXPECT_TRUE(IsReadable(run));
  EXPECT_EQ(Drain(run), (Ports{1, 2, 3, 4, 5}));
  EXPECT_EQ(Drain(run), Ports());
  Knock(caller, 6, 1);
  EXPECT_EQ(Drain(run), Ports{6});
}

TEST_F(EventsTest, AreTakenNoMoreThanWanted) {
  LiveRun run = Start();
  const NetCaller caller(run.cgroup().path());
  Knock(caller, 1, 7);
  EXPECT_EQ(Drain(run, 3), (Ports{1, 2, 3}));
  EXPECT_EQ(Drain(run, 1), Ports{4});
  EXPECT_EQ(Drain(run), (Ports{5, 6, 7}));
}

TEST_F(EventsTest, AreCountedWhereTheRingIsFull) {
  constexpr int kFlood = 2000;  // More than PALYRA_RING_BYTES hold.
  LiveRun run = Start();
  const NetCaller caller(run.cgroup().path());
  Knock(caller, 1, kFlood);
  const RunCounters counters = run.ReadCounters();
  const Ports told = Drain(run);
  EXPECT_EQ(counters.denied, uint64_t{kFlood});
  EXPECT_GT(counters.lost, 0U);
  EXPECT_EQ(told.size() + counters.lost, size_t{kFlood});
  for (size_t i = 0; i < told.size(); ++i) ASSERT_EQ(told[i], i + 1);
  // A drained ring has room again.
  Knock(caller, 5000, 1);
  EXPECT_EQ(Drain(run), Ports{5000});
}

TEST_F(EventsTest, OfTwoRunsDoNotMix) {
  LiveRun first = Start();
  LiveRun second = Start();
  EXPECT_NE(first.events().index(), second.events().index());
  const NetCaller one(first.cgroup().path());
  const NetCaller two(second.cgroup().path());
  Knock(one, 100, 3);
  Knock(two, 200, 2);
  EXPECT_EQ(Drain(first), (Ports{100, 101, 102}));
  EXPECT_EQ(Drain(second), (Ports{200, 201}));
  EXPECT_EQ(first.ReadCounters().denied, 3U);
  EXPECT_EQ(second.ReadCounters().denied, 2U);
}

TEST_F(EventsTest, OfAnEarlierRunAreNotPassedOn) {
  uint32_t index = 0;
  {
    LiveRun run = Start();
    index = run.events().index();
    const NetCaller caller(run.cgroup().path());
    Knock(caller, 100, 3);  // Nobody reads them.
  }
  LiveRun next = Start();
  ASSERT_EQ(next.events().index(), index) << "the ring is taken again";
  const NetCaller caller(next.cgroup().path());
  Knock(caller, 200, 1);
  EXPECT_EQ(Drain(next), Ports{200});
}

TEST_F(EventsTest, SurviveAMoveOfTheirRun) {
  LiveRun first = Start();
  std::optional<LiveRun> second(std::move(first));
  const NetCaller caller(second->cgroup().path());
  Knock(caller, 1, 2);
  EXPECT_EQ(Drain(*second), (Ports{1, 2}));
}

// What is left when a run is removed cannot go on, even if it could not be killed.
TEST_F(EventsTest, AfterItsRunAProcessIsDeniedWithoutACount) {
  const OwnKernel& kernel = OwnKernel::Get();
  const std::string orphan = kernel.objects().cgroup_path() + "/orphan";
  const Result<Cgroup> cgroup = Cgroup::Create(orphan);
  ASSERT_TRUE(cgroup);
  {
    const NetCaller caller(orphan);
    const policy::NetEvent loopback = {.action = policy::NetAction::kConnect,
                                       .protocol = policy::Protocol::kUdp,
                                       .is_ipv6 = false,
                                       .address = {127, 0, 0, 1},
                                       .port = 9};
    EXPECT_EQ(caller.Try(loopback), kNoSocket) << "not even a socket";
  }
  EXPECT_TRUE(RemoveCgroup(orphan));
}

}  // namespace
}  // namespace palyra::engine
