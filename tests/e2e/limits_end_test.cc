// Nothing is left of a run with limits: no cgroup in any hierarchy, however it ended.

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/kernel_state.h"
#include "tests/support/palyra_run.h"
#include "tests/support/require_feature.h"
#include "tests/support/temp_dir.h"

namespace palyra::tests {
namespace {

class LimitsLeave : public testing::Test {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(Root());
    // What the first run sets up for all is not this test's.
    ASSERT_EQ(WithLimits().Run({BinaryPath("palyra_probe"), "exit-with", "0"}).status, 0);
    before_ = ReadKernelState();
  }

  static PalyraRun WithLimits() {
    PalyraRun run;
    run.Option("--memory", "64M").Option("--pids", "64").Option("--cpus", "1").Option("--io", "1G");
    run.Option("--output-limit", "1M").Option("--cpu-time", "1h");
    return run;
  }

  [[nodiscard]] std::vector<std::string> Lingering(const std::string& end) const {
    return {
        BinaryPath("palyra_probe"), "linger", mark_, end, "daemon", "session", "stopped", "deaf"};
  }

  void ExpectNothingLeft() const {
    EXPECT_TRUE(ProbesMarked(mark_).empty()) << "processes of the run are alive";
    EXPECT_EQ(AwaitKernelState(before_), before_);
  }

  // Children of a process with that name.
  static std::vector<pid_t> ChildrenNamed(pid_t parent, const std::string& name) {
    const std::string directory = "/proc/" + std::to_string(parent) + "/task/";
    std::istringstream pids(ReadText(directory + std::to_string(parent) + "/children"));
    std::vector<pid_t> children;
    for (pid_t pid = 0; pids >> pid;) {
      if (ReadText("/proc/" + std::to_string(pid) + "/comm") == name + '\n') {
        children.push_back(pid);
      }
    }
    return children;
  }

  const std::string mark_ = std::string("mark-") +
                            testing::UnitTest::GetInstance()->current_test_info()->name() + "-" +
                            std::to_string(getpid());
  KernelState before_;
};

TEST_F(LimitsLeave, NothingAtItsOwnEnd) {
  EXPECT_EQ(WithLimits().Run(Lingering("7")).status, 7);
  ExpectNothingLeft();
}

TEST_F(LimitsLeave, NothingAtALimit) {
  EXPECT_EQ(WithLimits().Run({BinaryPath("palyra_probe"), "use-memory", "256", "8"}).status, 137);
  ExpectNothingLeft();
  EXPECT_EQ(WithLimits().Run({BinaryPath("palyra_probe"), "fork-bomb"}).status, 137);
  ExpectNothingLeft();
}

TEST_F(LimitsLeave, NothingWhenTheCommandIsNone) {
  EXPECT_EQ(WithLimits().Run({"/nonexistent"}).status, 127);
  ExpectNothingLeft();
}

TEST_F(LimitsLeave, NothingWhenItsSupervisorIsKilled) {
  const PalyraRun run = WithLimits();
  Subprocess command(run.CommandLine(Lingering("wait")));
  ASSERT_TRUE(command.WaitForOutput("ready"));
  EXPECT_NE(ReadKernelState(), before_) << "a run that leaves no trace while it lives";
  const std::vector<pid_t> pids = ProbesMarked(mark_);
  command.Signal(SIGKILL);
  ASSERT_TRUE(AwaitEnd(pids)) << "processes outlived their supervisor";
  ExpectNothingLeft();
}

// The guardian too: then only the next run is left to clean up.
TEST_F(LimitsLeave, NothingThatTheNextRunDoesNotSweep) {
  const PalyraRun run = WithLimits();
  Subprocess command(run.CommandLine(Lingering("wait")));
  ASSERT_TRUE(command.WaitForOutput("ready"));
  const std::vector<pid_t> pids = ProbesMarked(mark_);
  const std::vector<pid_t> guardians = ChildrenNamed(command.pid(), "palyra-run");
  ASSERT_EQ(guardians.size(), 1U);
  kill(guardians[0], SIGKILL);
  command.Signal(SIGKILL);
  command.Wait();
  EXPECT_NE(ReadKernelState(), before_) << "there is nothing to sweep";
  EXPECT_EQ(WithLimits().Run({BinaryPath("palyra_probe"), "exit-with", "0"}).status, 0);
  ASSERT_TRUE(AwaitEnd(pids));
  ExpectNothingLeft();
}

}  // namespace
}  // namespace palyra::tests
