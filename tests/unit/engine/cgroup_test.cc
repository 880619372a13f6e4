#include "engine/cgroup.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <string>
#include <vector>

#include "tests/support/require_feature.h"
#include "tests/unit/engine/own_kernel.h"

namespace palyra::engine {
namespace {

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

// A cgroup of its own for each test, with all that is in it ended and removed.
class CgroupTest : public testing::Test {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(tests::Root());
    path_ = OwnKernel::Get().CgroupPath("case");
    ASSERT_EQ(mkdir(path_.c_str(), 0755), 0);
  }

  void TearDown() override {
    if (path_.empty()) return;
    const Result<Cgroup> cgroup = Cgroup::Open(path_);
    if (cgroup) (void)KillCgroup(*cgroup, KillMethod::kTreeKill, kPatience);
    for (const pid_t child : children_) waitpid(child, nullptr, 0);
    EXPECT_TRUE(RemoveCgroup(path_));
  }

  void Start(const std::string& path, void (*body)()) {
    children_.push_back(StartInCgroup(path, body));
  }

  [[nodiscard]] std::string Nested(const std::string& name) const {
    std::string path = path_ + '/' + name;
    EXPECT_EQ(mkdir(path.c_str(), 0755), 0);
    return path;
  }

  std::string path_;
  std::vector<pid_t> children_;
};

TEST_F(CgroupTest, HasTheIdThatTheKernelKnowsItBy) {
  const Result<Cgroup> cgroup = Cgroup::Open(path_);
  ASSERT_TRUE(cgroup);
  // A file handle of a cgroup directory is its id.
  alignas(file_handle) std::array<char, sizeof(file_handle) + sizeof(uint64_t)> room = {};
  auto* handle = reinterpret_cast<file_handle*>(room.data());
  handle->handle_bytes = sizeof(uint64_t);
  int mount_id = 0;
  ASSERT_EQ(name_to_handle_at(AT_FDCWD, path_.c_str(), handle, &mount_id, 0), 0);
  uint64_t id = 0;
  std::memcpy(&id, handle->f_handle, sizeof(id));
  EXPECT_EQ(cgroup->id(), id);
  EXPECT_EQ(cgroup->path(), path_);
}

TEST_F(CgroupTest, IsMadeOnlyOnce) {
  const std::string path = path_ + "/made";
  const Result<Cgroup> made = Cgroup::Create(path);
  ASSERT_TRUE(made);
  const Result<Cgroup> again = Cgroup::Create(path);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kUnavailable);
  const Result<Cgroup> orphan = Cgroup::Create(path_ + "/no/parent");
  ASSERT_FALSE(orphan);
  EXPECT_EQ(orphan.error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(Cgroup::Open(path_ + "/missing"));
}

TEST_F(CgroupTest, IsRemovedWithAllBelowItButNotWithProcesses) {
  const std::string inner = Nested("a");
  ASSERT_EQ(mkdir((inner + "/b").c_str(), 0755), 0);
  Start(inner + "/b", SleepForever);
  const Result<void> busy = RemoveCgroup(path_ + "/a");
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(Exists(inner + "/b"));

  End(children_.back());
  children_.clear();
  EXPECT_TRUE(RemoveCgroup(path_ + "/a"));
  EXPECT_FALSE(Exists(inner));
  EXPECT_TRUE(RemoveCgroup(path_ + "/a")) << "absence is success";
}

TEST_F(CgroupTest, TellsWhetherTheKernelKillsCgroups) {
  EXPECT_EQ(HasCgroupKill(path_), Exists(path_ + "/cgroup.kill"));
  EXPECT_FALSE(HasCgroupKill("/tmp"));
}

// ---- Both ways to kill, against processes that make it hard. ----

void Daemonise() {
  if (fork() != 0) _exit(0);
  setsid();
  if (fork() != 0) _exit(0);
  SleepForever();
}

void Stop() {
  raise(SIGSTOP);
  SleepForever();
}

void IgnoreEverything() {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  SleepForever();
}

// Always there, never under the same pid for long.
void KeepForking() {
  while (true) {
    if (fork() > 0) _exit(0);
  }
}

class KillTest : public CgroupTest, public testing::WithParamInterface<KillMethod> {
 protected:
  void SetUp() override {
    CgroupTest::SetUp();
    if (GetParam() == KillMethod::kCgroupKill) {
      const tests::Feature kill_file = {
          .name = "cgroup.kill",
          .since = {.major = 5, .minor = 14},
          .state = HasCgroupKill(path_) ? Result<void>()
                                        : Result<void>(Fail(ErrorCode::kUnsupported, "no file"))};
      PALYRA_REQUIRE_FEATURE(kill_file);
    }
  }
};

TEST_P(KillTest, EndsEveryProcessHoweverItWasForked) {
  const std::string middle = Nested("middle");
  const std::string inner = Nested("middle/inner");
  for (const std::string& where : {path_, middle, inner}) {
    for (void (*body)() : {SleepForever, Daemonise, Stop, IgnoreEverything, KeepForking}) {
      Start(where, body);
    }
  }
  const Result<Cgroup> cgroup = Cgroup::Open(path_);
  ASSERT_TRUE(cgroup);
  ASSERT_FALSE(IsEmptyCgroup(path_));
  const Result<void> killed = KillCgroup(*cgroup, GetParam(), kPatience);
  EXPECT_TRUE(killed) << killed.error().message;
  EXPECT_TRUE(IsEmptyCgroup(path_));
  for (const pid_t child : children_) {
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) || status == 0) << status;
  }
  children_.clear();
  EXPECT_TRUE(RemoveCgroup(middle));
}

TEST_P(KillTest, LeavesTheNeighboursAlone) {
  const std::string target = Nested("target");
  Start(Nested("neighbour"), SleepForever);
  const pid_t neighbour = children_.back();
  Start(target, SleepForever);
  const Result<Cgroup> cgroup = Cgroup::Open(target);
  ASSERT_TRUE(cgroup);
  ASSERT_TRUE(KillCgroup(*cgroup, GetParam(), kPatience));
  EXPECT_EQ(waitpid(neighbour, nullptr, WNOHANG), 0) << "it is dead";
}

TEST_P(KillTest, LeavesTheCgroupUsable) {
  const Result<Cgroup> cgroup = Cgroup::Open(path_);
  ASSERT_TRUE(cgroup);
  Start(path_, SleepForever);
  ASSERT_TRUE(KillCgroup(*cgroup, GetParam(), kPatience));
  // A frozen cgroup would hold it for ever.
  const pid_t next = StartInCgroup(path_, [] { _exit(7); });
  int status = 0;
  EXPECT_TRUE(Eventually([&] { return waitpid(next, &status, WNOHANG) == next; }));
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST_P(KillTest, OfNothingReturnsAtOnce) {
  const Result<Cgroup> cgroup = Cgroup::Open(path_);
  ASSERT_TRUE(cgroup);
  EXPECT_TRUE(KillCgroup(*cgroup, GetParam(), std::chrono::milliseconds(0)));
}

INSTANTIATE_TEST_SUITE_P(BothWays, KillTest,
                         testing::Values(KillMethod::kCgroupKill, KillMethod::kTreeKill),
                         [](const testing::TestParamInfo<KillMethod>& method) {
                           return method.param == KillMethod::kCgroupKill ? "CgroupKill"
                                                                          : "TreeKill";
                         });

}  // namespace
}  // namespace palyra::engine
