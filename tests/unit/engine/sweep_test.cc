#include "engine/sweep.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/unique_fd.h"
#include "engine/live_run.h"
#include "tests/support/require_feature.h"
#include "tests/unit/engine/own_kernel.h"
#include "tests/unit/engine/random_rules.h"

namespace palyra::engine {
namespace {

namespace fs = std::filesystem;

class SweepTest : public testing::Test {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(tests::Root());
    kernel_.emplace("palyra-test-" + std::to_string(getpid()) + "-sweep", CgroupProgramsAlone());
    before_ = kernel_->Entries();
  }

  [[nodiscard]] LiveRun Start() {
    Result<LiveRun> run = LiveRun::Create(kernel_->host(), kernel_->objects(), random_.Rules());
    EXPECT_TRUE(run) << run.error().message;
    return *std::move(run);
  }

  [[nodiscard]] std::string CgroupOf(const std::string& id) const {
    return kernel_->objects().cgroup_path() + '/' + id;
  }

  [[nodiscard]] std::string LockOf(const std::string& id) const {
    return RunLockDirectory(kernel_->host().runtime_directory) + '/' + id;
  }

  // A run whose supervisor is dead, with a process that goes on in a cgroup of its own below.
  std::string Abandon() {
    std::array<int, 2> ends = {-1, -1};
    EXPECT_EQ(pipe(ends.data()), 0);
    const UniqueFd told(ends[0]);
    const UniqueFd tell(ends[1]);
    const policy::RuleSet rules = random_.Rules();
    const pid_t supervisor = fork();
    if (supervisor == 0) {
      const Result<LiveRun> run = LiveRun::Create(kernel_->host(), kernel_->objects(), rules);
      if (!run) _exit(1);
      const std::string inner = run->cgroup().path() + "/inner";
      if (mkdir(inner.c_str(), 0755) != 0) _exit(2);
      StartInCgroup(inner, SleepForever);
      (void)!write(tell.get(), run->id().data(), run->id().size());
      _exit(0);  // Without destructors, as a killed supervisor.
    }
    std::string id(32, '?');
    EXPECT_EQ(read(told.get(), id.data(), id.size()), static_cast<ssize_t>(id.size()));
    waitpid(supervisor, nullptr, 0);
    EXPECT_FALSE(IsEmptyCgroup(CgroupOf(id)));
    return id;
  }

  [[nodiscard]] SweepResult Sweep() const {
    Result<SweepResult> result = SweepAbandonedRuns(kernel_->host(), kernel_->objects());
    EXPECT_TRUE(result) << result.error().message;
    return result ? *result : SweepResult();
  }

  std::optional<OwnKernel> kernel_;
  std::map<std::string, size_t> before_;
  RandomRules random_{99};
};

TEST_F(SweepTest, EndsARunWhoseSupervisorIsDead) {
  const std::string id = Abandon();
  EXPECT_NE(kernel_->Entries(), before_);
  const SweepResult result = Sweep();
  EXPECT_EQ(result.ended, std::vector<std::string>{id});
  EXPECT_TRUE(result.failures.empty());
  EXPECT_FALSE(fs::exists(CgroupOf(id)));
  EXPECT_FALSE(fs::exists(LockOf(id)));
  EXPECT_EQ(kernel_->Entries(), before_) << "its entries are left in the tables";
  EXPECT_TRUE(kernel_->HoldsWholeProfilesOnly());
  EXPECT_TRUE(Sweep().ended.empty()) << "once is enough";
}

TEST_F(SweepTest, DoesNotTouchALiveNeighbour) {
  const LiveRun neighbour = Start();
  const pid_t alive = StartInCgroup(neighbour.cgroup().path(), SleepForever);
  const std::map<std::string, size_t> with_neighbour = kernel_->Entries();
  const std::string first = Abandon();
  const std::string second = Abandon();

  std::vector<std::string> ended = Sweep().ended;
  std::ranges::sort(ended);
  EXPECT_EQ(ended, (std::vector<std::string>{std::min(first, second), std::max(first, second)}));
  EXPECT_EQ(kernel_->Entries(), with_neighbour);
  EXPECT_EQ(waitpid(alive, nullptr, WNOHANG), 0) << "the neighbour's process is dead";
  EXPECT_TRUE(fs::exists(LockOf(neighbour.id())));
  EXPECT_EQ(kernel_->Runs(), std::vector<std::string>{neighbour.id()});
  End(alive);
}

TEST_F(SweepTest, EndsARunThatDiedBeforeItHadRules) {
  const std::string id(32, 'b');
  ASSERT_EQ(mkdir(CgroupOf(id).c_str(), 0755), 0);
  EXPECT_EQ(Sweep().ended, std::vector<std::string>{id});
  EXPECT_FALSE(fs::exists(CgroupOf(id)));
}

TEST_F(SweepTest, RemovesLocksOfRunsThatNeverGotACgroup) {
  const std::string id(32, 'c');
  {
    const LiveRun makes_the_directory = Start();
  }
  ASSERT_TRUE(base::OpenFile(LockOf(id), O_WRONLY | O_CREAT, 0600));
  EXPECT_TRUE(Sweep().ended.empty());
  EXPECT_FALSE(fs::exists(LockOf(id)));
}

TEST_F(SweepTest, RemovesOldGenerationsWithoutRuns) {
  const std::string old_cgroup = PalyraCgroup(kernel_->host()) + "/v0-old";
  const std::string old_pins = PalyraPins(kernel_->host()) + "/v0-old";
  ASSERT_EQ(mkdir(old_cgroup.c_str(), 0755), 0);
  ASSERT_EQ(mkdir(old_pins.c_str(), 0700), 0);
  EXPECT_TRUE(Sweep().failures.empty());
  EXPECT_FALSE(fs::exists(old_cgroup));
  EXPECT_FALSE(fs::exists(old_pins));
  EXPECT_TRUE(fs::exists(kernel_->objects().cgroup_path())) << "its own is kept";
  EXPECT_TRUE(fs::exists(kernel_->objects().pin_path()));
}

TEST_F(SweepTest, KeepsAnOldGenerationWithALiveRun) {
  const std::string old_cgroup = PalyraCgroup(kernel_->host()) + "/v0-old";
  ASSERT_EQ(mkdir(old_cgroup.c_str(), 0755), 0);
  {
    const Result<RunLock> lock = RunLock::CreateUnique(kernel_->host().runtime_directory);
    ASSERT_TRUE(lock);
    ASSERT_EQ(mkdir((old_cgroup + '/' + lock->id()).c_str(), 0755), 0);
    EXPECT_TRUE(Sweep().ended.empty());
    EXPECT_TRUE(fs::exists(old_cgroup + '/' + lock->id()));
  }
  EXPECT_EQ(Sweep().ended.size(), 1U) << "now its supervisor is gone";
  EXPECT_FALSE(fs::exists(old_cgroup));
}

TEST_F(SweepTest, UninstallingWaitsForRunsAndThenLeavesNothing) {
  const Host& host = kernel_->host();
  {
    const LiveRun run = Start();
    const Result<int> in_use = Uninstall(host);
    ASSERT_TRUE(in_use);
    EXPECT_EQ(*in_use, 1);
    EXPECT_TRUE(fs::exists(kernel_->objects().pin_path()));
    EXPECT_TRUE(fs::exists(run.cgroup().path()));
  }
  EXPECT_EQ(Abandon().size(), 32U);
  const Result<int> in_use = Uninstall(host);
  ASSERT_TRUE(in_use) << in_use.error().message;
  EXPECT_EQ(*in_use, 0);
  EXPECT_FALSE(fs::exists(PalyraCgroup(host)));
  EXPECT_FALSE(fs::exists(PalyraPins(host)));
}

}  // namespace
}  // namespace palyra::engine
