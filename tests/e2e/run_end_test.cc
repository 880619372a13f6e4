// However a run ends, nothing of it is left: no process, no cgroup, no map entry but its profile,
// which is whole and kept for the next run with equal rules.

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <ostream>
#include <thread>
#include <tuple>

#include "tests/e2e/policies.h"
#include "tests/support/kernel_state.h"
#include "tests/support/palyra_run.h"
#include "tests/support/require_feature.h"

namespace palyra::tests {
namespace {

const std::vector<std::string>& Leftovers() {
  static const std::vector<std::string> kLeftovers = {"daemon", "session", "stopped", "deaf",
                                                      "brood"};
  return kLeftovers;
}

// A command that leaves one process of each kind behind and then ends as `end` says.
std::vector<std::string> Lingering(const std::string& mark, const std::string& end) {
  std::vector<std::string> command = {BinaryPath("palyra_probe"), "linger", mark, end};
  command.insert(command.end(), Leftovers().begin(), Leftovers().end());
  return command;
}

class RunEndTest : public testing::Test {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(Root());
    // What the first run sets up for all, and what earlier ones left, is not this test's.
    const Ended ended = WithPolicy().Run({BinaryPath("palyra_probe"), "exit-with", "0"});
    ASSERT_EQ(ended.status, 0) << Describe(ended);
    before_ = ReadKernelState();
  }

  void TearDown() override {
    // A brood replaces what is killed, until its parent is.
    constexpr int kRounds = 100;
    for (int round = 0; round < kRounds; ++round) {
      for (const pid_t pid : ProbesMarked(mark_)) kill(pid, SIGKILL);
    }
  }

  static PalyraRun WithPolicy(const std::string& tier = "guard") {
    PalyraRun run;
    run.Option("--tier", tier);
    run.Policy(PermitWhen("resource.address.isInRange(ip(\"192.0.2.0/24\"))"));
    return run;
  }

  void ExpectNothingLeft() const {
    EXPECT_TRUE(ProbesMarked(mark_).empty()) << "processes of the run are alive";
    const KernelState now = AwaitKernelState(before_);
    EXPECT_EQ(now, before_);
    EXPECT_EQ(now.incomplete_profiles, 0U);
    EXPECT_FALSE(now.keeps_too_many_profiles);
  }

  const std::string mark_ = std::string("mark-") +
                            testing::UnitTest::GetInstance()->current_test_info()->name() + "-" +
                            std::to_string(getpid());
  KernelState before_;
};

struct End {
  const char* name;
  const char* command_end;  // What linger is told.
  int signal_number;        // Sent to palyra-run once the command is ready, or 0.
  const char* timeout;      // Or null.
  int status;
  bool terminal = false;  // Control-C in place of a signal.
};

void PrintTo(const End& end, std::ostream* stream) { *stream << end.name; }

class RunEnd : public RunEndTest,
               public testing::WithParamInterface<std::tuple<const char*, End>> {};

TEST_P(RunEnd, LeavesNothing) {
  const auto& [tier, end] = GetParam();
  PalyraRun run = WithPolicy(tier);
  if (end.timeout != nullptr) run.Option("--timeout", end.timeout);
  SpawnOptions options;
  options.terminal = end.terminal;
  Subprocess command(run.CommandLine(Lingering(mark_, end.command_end)), options);
  ASSERT_TRUE(command.WaitForOutput("ready")) << Describe(command.Wait(std::chrono::seconds(1)));
  if (end.signal_number != 0) {
    EXPECT_FALSE(ProbesMarked(mark_).empty());
    EXPECT_NE(ReadKernelState(), before_) << "a run that leaves no trace while it lives";
    command.Signal(end.signal_number);
  }
  if (end.terminal) command.Type("\x03");
  const Ended ended = command.Wait();
  EXPECT_FALSE(ended.timed_out) << Describe(ended);
  EXPECT_EQ(ended.status, end.status) << Describe(ended);
  ExpectNothingLeft();
}

std::string NameOf(const testing::TestParamInfo<std::tuple<const char*, End>>& parameter) {
  return std::string(std::get<End>(parameter.param).name) + "Of" +
         std::get<const char*>(parameter.param);
}

INSTANTIATE_TEST_SUITE_P(
    After, RunEnd,
    testing::Combine(testing::Values("guard", "cell"),
                     testing::Values(End{"Success", "0", 0, nullptr, 0},
                                     End{"Failure", "7", 0, nullptr, 7},
                                     End{"CommandKilled", "killed", 0, nullptr, 128 + SIGKILL},
                                     End{"Timeout", "wait", 0, "3", 124},
                                     End{"Interrupt", "wait", SIGINT, nullptr, 128 + SIGINT},
                                     End{"Terminate", "wait", SIGTERM, nullptr, 128 + SIGTERM},
                                     End{"HangUp", "wait", SIGHUP, nullptr, 128 + SIGHUP},
                                     End{"ControlC", "wait", 0, nullptr, 128 + SIGINT, true})),
    NameOf);

// The supervisor itself is killed: nobody is left to clean up, and still nothing may go on.
class RunSupervisorKilled : public RunEndTest, public testing::WithParamInterface<const char*> {
 protected:
  // Starts a lingering run, kills its palyra-run, and waits for the run's processes to end.
  void KillASupervisor() {
    const PalyraRun run = WithPolicy(GetParam());
    Subprocess command(run.CommandLine(Lingering(mark_, "wait")));
    ASSERT_TRUE(command.WaitForOutput("ready"));
    const std::vector<pid_t> pids = ProbesMarked(mark_);
    ASSERT_GT(pids.size(), Leftovers().size());
    command.Signal(SIGKILL);
    ASSERT_TRUE(AwaitEnd(pids)) << "processes outlived their supervisor";
    ASSERT_TRUE(AwaitEnd(ProbesMarked(mark_))) << "processes outlived their supervisor";
  }

  static void RunAnother() {
    EXPECT_EQ(WithPolicy(GetParam()).Run({BinaryPath("palyra_probe"), "exit-with", "0"}).status, 0);
  }
};

TEST_P(RunSupervisorKilled, EndsTheRun) { KillASupervisor(); }

// Killed at moments spread over its whole start: before the command, in it, beside it.
TEST_P(RunSupervisorKilled, AtAnyMomentOfItsStartEndsTheRunToo) {
  constexpr int kMoments = 40;
  constexpr std::chrono::microseconds kStep{250};
  const PalyraRun run = WithPolicy(GetParam());
  for (int moment = 0; moment < kMoments; ++moment) {
    Subprocess command(run.CommandLine(Lingering(mark_, "wait")));
    std::this_thread::sleep_for(moment * kStep);
    command.Signal(SIGKILL);
    command.Wait();
    ASSERT_TRUE(AwaitEnd(ProbesMarked(mark_)))
        << "killed after " << (moment * kStep).count() << " us";
  }
  // One that was not the probe yet when it was looked for has become it by now, or is gone.
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  ASSERT_TRUE(AwaitEnd(ProbesMarked(mark_)));
  RunAnother();
  ExpectNothingLeft();
}

TEST_P(RunSupervisorKilled, TheNextRunSweepsWhatIsLeft) {
  KillASupervisor();
  RunAnother();
  ExpectNothingLeft();
}

TEST_P(RunSupervisorKilled, TheSweepLeavesALiveNeighbourAlone) {
  const std::string neighbour_mark = mark_ + "-neighbour";
  const PalyraRun run = WithPolicy(GetParam());
  Subprocess neighbour(run.CommandLine(Lingering(neighbour_mark, "wait")));
  ASSERT_TRUE(neighbour.WaitForOutput("ready"));
  const KernelState with_neighbour = ReadKernelState();
  const size_t processes = ProbesMarked(neighbour_mark).size();

  KillASupervisor();
  RunAnother();
  EXPECT_EQ(AwaitKernelState(with_neighbour), with_neighbour);
  EXPECT_EQ(ProbesMarked(neighbour_mark).size(), processes);

  neighbour.Signal(SIGTERM);
  EXPECT_EQ(neighbour.Wait().status, 128 + SIGTERM);
  EXPECT_TRUE(ProbesMarked(neighbour_mark).empty());
  ExpectNothingLeft();
}

INSTANTIATE_TEST_SUITE_P(Of, RunSupervisorKilled, testing::Values("guard", "cell"),
                         [](const auto& parameter) { return parameter.param; });

}  // namespace
}  // namespace palyra::tests
