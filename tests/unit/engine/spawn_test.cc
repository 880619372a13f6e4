#include "engine/spawn.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "engine/cgroup.h"
#include "engine/landlock.h"
#include "engine/seccomp_filter.h"
#include "tests/support/require_feature.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/engine/own_kernel.h"

namespace palyra::engine {
namespace {

using testing::HasSubstr;

constexpr uid_t kNobody = 65534;

class SpawnTest : public testing::Test {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(tests::Root());
    path_ = OwnKernel::Get().CgroupPath("spawn");
    Result<Cgroup> cgroup = Cgroup::Create(path_);
    ASSERT_TRUE(cgroup) << cgroup.error().message;
    cgroup_.emplace(*std::move(cgroup));
    ASSERT_EQ(chmod(directory_.path().c_str(), 0777), 0);
    request_.cgroup_fd = cgroup_->fd();
    request_.argv = {"true"};
    request_.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
    request_.user.uid = request_.user.gid = kNobody;
    request_.user.groups = {4242};
    request_.control_mounts = OwnKernel::Get().host().control_mounts;
    request_.seccomp = SeccompFilter({});
    sigemptyset(&request_.signal_mask);
  }

  void TearDown() override {
    if (!cgroup_) return;
    (void)KillCgroup(*cgroup_, KillMethod::kTreeKill, kPatience);
    EXPECT_TRUE(RemoveCgroup(path_));
  }

  // The failure of a start, or nothing where it succeeded; then the command has ended.
  std::optional<SpawnFailure> Failure() {
    Result<SpawnResult> result = Spawn(request_);
    EXPECT_TRUE(result) << result.error().message;
    if (!result) return SpawnFailure{};
    if (!result->failure) waitpid(result->child.pid, &status_, 0);
    return result->failure;
  }

  void ExpectFailure(SpawnStep step, int system_errno) {
    const std::optional<SpawnFailure> failure = Failure();
    ASSERT_TRUE(failure) << "it started, and should fail to " << SpawnStepName(step);
    EXPECT_EQ(SpawnStepName(failure->step), SpawnStepName(step));
    EXPECT_EQ(failure->system_errno, system_errno);
    EXPECT_TRUE(IsEmptyCgroup(path_));
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "the child is not reaped";
  }

  // What a shell script inside prints.
  std::string Output(const std::string& script) {
    const std::string file = directory_.Path("output");
    request_.argv = {"sh", "-c", "exec >" + file + " 2>&1; " + script};
    EXPECT_FALSE(Failure());
    return tests::ReadText(file);
  }

  std::string path_;
  std::optional<Cgroup> cgroup_;
  const tests::TempDir directory_;
  SpawnRequest request_;
  int status_ = -1;
};

TEST_F(SpawnTest, StartsWhatCanBeStarted) {
  ASSERT_FALSE(Failure());
  EXPECT_EQ(status_, 0);
}

// All that can go wrong at once: each start fails at the first of them, which is then mended.
TEST_F(SpawnTest, TakesItsStepsInOrderAndSkipsNone) {
  const SpawnRequest good = request_;
  const Result<UniqueFd> no_ruleset = base::OpenFile("/dev/null", O_RDONLY);
  ASSERT_TRUE(no_ruleset);
  request_.control_mounts.insert(request_.control_mounts.begin(), "/dev/null/below");
  request_.user.groups.assign(70'000, 1);  // More than NGROUPS_MAX.
  request_.landlock_fd = no_ruleset->get();
  request_.seccomp = {};
  request_.argv = {"no-such-command-anywhere"};

  ExpectFailure(SpawnStep::kProtectControlMounts, ENOTDIR);
  request_.control_mounts = good.control_mounts;
  ExpectFailure(SpawnStep::kUser, EINVAL);
  request_.user = good.user;
  ExpectFailure(SpawnStep::kLandlock, LandlockAbi() > 0 ? EBADFD : ENOSYS);
  request_.landlock_fd = -1;
  ExpectFailure(SpawnStep::kSeccomp, EINVAL);
  request_.seccomp = good.seccomp;
  ExpectFailure(SpawnStep::kExec, ENOENT);
  request_.argv = good.argv;
  EXPECT_FALSE(Failure());
}

TEST_F(SpawnTest, FailsWithoutACgroup) {
  const Result<UniqueFd> no_cgroup = base::OpenFile("/tmp", O_RDONLY | O_DIRECTORY);
  ASSERT_TRUE(no_cgroup);
  request_.cgroup_fd = no_cgroup->get();
  EXPECT_FALSE(Spawn(request_));
}

struct ExecCase {
  std::string command;
  int system_errno;
};

TEST_F(SpawnTest, TellsWhyExecFailed) {
  const std::string script = directory_.Write("no-interpreter", "#!/no/such/interpreter\n");
  const std::string data = directory_.Write("data", "no program");
  ASSERT_EQ(chmod(script.c_str(), 0755), 0);
  ASSERT_EQ(chmod(data.c_str(), 0644), 0);
  const ExecCase cases[] = {
      {"no-such-command", ENOENT},
      {"/no/such/command", ENOENT},
      {"/etc/passwd/x", ENOENT},
      {data, EACCES},
      {"/tmp", EACCES},
      {script, ENOENT},
      {"", ENOENT},
  };
  for (const ExecCase& each : cases) {
    request_.argv = {each.command};
    ExpectFailure(SpawnStep::kExec, each.system_errno);
  }
  ASSERT_EQ(chmod(data.c_str(), 0755), 0);
  request_.argv = {data};
  ExpectFailure(SpawnStep::kExec, ENOEXEC);
}

TEST_F(SpawnTest, SearchesThePathItIsGivenAndNeverTheWorkingDirectory) {
  const std::string tool = directory_.Write("palyra-test-tool", "#!/bin/sh\nexit 0\n");
  ASSERT_EQ(chmod(tool.c_str(), 0755), 0);
  request_.argv = {"palyra-test-tool"};
  ExpectFailure(SpawnStep::kExec, ENOENT);
  request_.environment = {"PATH=/nowhere:" + directory_.path()};
  EXPECT_FALSE(Failure());

  const std::string before = std::filesystem::current_path();
  ASSERT_EQ(chdir(directory_.path().c_str()), 0);
  for (const std::string path : {"PATH=", "PATH=:", "PATH=/bin::/usr/bin", "NOPATH=/bin"}) {
    request_.environment = {path};
    ExpectFailure(SpawnStep::kExec, ENOENT);
  }
  ASSERT_EQ(chdir(before.c_str()), 0);
}

TEST_F(SpawnTest, LeavesTheCommandNoPrivilege) {
  const std::string status = Output("cat /proc/self/status");
  const std::string none = "\t0000000000000000\n";
  for (const std::string set : {"CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"}) {
    EXPECT_THAT(status, HasSubstr(set + none));
  }
  EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1\n"));
  EXPECT_THAT(status, HasSubstr("Seccomp:\t2\n"));
  EXPECT_THAT(status, HasSubstr("Uid:\t65534\t65534\t65534\t65534\n"));
  EXPECT_THAT(status, HasSubstr("Gid:\t65534\t65534\t65534\t65534\n"));
  EXPECT_THAT(status, HasSubstr("Groups:\t4242 \n"));
}

TEST_F(SpawnTest, LeavesRootNoPrivilegeEither) {
  request_.user.uid = request_.user.gid = 0;
  const std::string status = Output("cat /proc/self/status");
  EXPECT_THAT(status, HasSubstr("Uid:\t0\t0\t0\t0\n"));
  EXPECT_THAT(status, HasSubstr("CapEff:\t0000000000000000\n"));
  EXPECT_THAT(status, HasSubstr("CapBnd:\t0000000000000000\n"));
}

TEST_F(SpawnTest, PassesNoDescriptorButTheStandardStreams) {
  const int leaked = open("/etc/passwd", O_RDONLY);  // Without close-on-exec, and a high one.
  const int high = fcntl(leaked, F_DUPFD, 777);
  EXPECT_EQ(Output("for fd in 3 4 5 6 7 8 9; do [ -e /proc/self/fd/$fd ] && echo $fd; done; "
                   "[ -e /proc/$$/fd/" +
                   std::to_string(high) + " ] && echo high; true"),
            "");
  close(leaked);
  close(high);
}

TEST_F(SpawnTest, PutsTheCommandIntoItsCgroupFromTheStart) {
  EXPECT_THAT(Output("cat /proc/self/cgroup"), HasSubstr("/spawn\n"));
}

TEST_F(SpawnTest, MakesControlFileSystemsReadOnlyForTheCommandAlone) {
  request_.user.uid = request_.user.gid = 0;
  EXPECT_THAT(Output("echo 0 > " + path_ + "/cgroup.procs; mkdir " + path_ + "/own"),
              HasSubstr("Read-only file system"));
  EXPECT_EQ(mkdir((path_ + "/mine").c_str(), 0755), 0) << "read-only outside";
}

// Not asked through a shell: those clear the mask.
TEST_F(SpawnTest, GivesTheCommandTheSignalMaskThatItIsToHave) {
  const auto mask_inside = [this] {
    request_.argv = {"grep", "SigBlk", "/proc/self/status"};
    testing::internal::CaptureStdout();
    EXPECT_FALSE(Failure());
    return testing::internal::GetCapturedStdout();
  };
  EXPECT_EQ(mask_inside(), "SigBlk:\t0000000000000000\n");
  sigaddset(&request_.signal_mask, SIGUSR1);
  EXPECT_EQ(mask_inside(), "SigBlk:\t0000000000000200\n");
}

TEST_F(SpawnTest, LeavesTheSupervisorAsItWas) {
  sigset_t before;
  sigset_t after;
  sigprocmask(SIG_BLOCK, nullptr, &before);
  const uid_t uid = geteuid();
  const std::string mounts = tests::ReadText("/proc/self/mountinfo");
  ASSERT_FALSE(Failure());
  sigprocmask(SIG_BLOCK, nullptr, &after);
  for (int number = 1; number < 32; ++number) {
    EXPECT_EQ(sigismember(&before, number), sigismember(&after, number)) << number;
  }
  EXPECT_EQ(geteuid(), uid);
  EXPECT_EQ(tests::ReadText("/proc/self/mountinfo"), mounts);
  EXPECT_THAT(tests::ReadText("/proc/self/status"), HasSubstr("Seccomp:\t0\n"));
}

// Without the capabilities that the steps need, a step fails; none is left out.
TEST_F(SpawnTest, StartsNothingWithoutPrivilege) {
  const pid_t supervisor = fork();
  if (supervisor == 0) {
    if (setresuid(kNobody, kNobody, kNobody) != 0) _exit(2);
    const Result<SpawnResult> result = Spawn(request_);
    // Already the kernel refuses the cgroup, or the first step that needs more fails.
    _exit(!result || result->failure ? 0 : 1);
  }
  int status = -1;
  waitpid(supervisor, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace palyra::engine
