// Whole runs: how they end, and that nothing is left of them.

#include "engine/run.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "tests/support/require_feature.h"
#include "tests/unit/engine/own_kernel.h"

namespace palyra::engine {
namespace {

using std::chrono::milliseconds;

constexpr uid_t kNobody = 65534;

RunRequest RequestFor(std::vector<std::string> argv) {
  RunRequest request;
  request.argv = std::move(argv);
  request.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"};
  request.user.uid = kNobody;
  request.user.gid = kNobody;
  request.rules = {
      .prefixes = {}, .classes = {{}}, .reasons = {{.layers = {{policy::Layer::kCaller, {}}}}}};
  return request;
}

RunRequest Shell(const std::string& script) { return RequestFor({"sh", "-c", script}); }

class RunTest : public testing::Test {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(tests::Root());
    before_ = OwnKernel::Get().Entries();
  }

  void TearDown() override {
    if (before_.empty()) return;  // Skipped.
    EXPECT_TRUE(IsNothingLeft());
  }

  [[nodiscard]] bool IsNothingLeft() const {
    return OwnKernel::Get().Runs().empty() && OwnKernel::Get().Entries() == before_ &&
           OwnKernel::Get().HoldsWholeProfilesOnly();
  }

  static Result<RunOutcome> Run(const RunRequest& request) {
    OwnKernel& kernel = OwnKernel::Get();
    return RunConstrainedProcess(kernel.host(), kernel.objects(), kernel.features(), request);
  }

  // Runs it in a process of its own, which can be killed.
  static pid_t StartSupervisor(const RunRequest& request) {
    const pid_t supervisor = fork();
    if (supervisor == 0) _exit(Run(request) ? 0 : 1);
    return supervisor;
  }

  // The one run, once something is alive in it.
  static bool AwaitRun() {
    return Eventually([] {
      const std::vector<std::string> runs = OwnKernel::Get().Runs();
      return runs.size() == 1 &&
             !IsEmptyCgroup(OwnKernel::Get().objects().cgroup_path() + '/' + runs[0]);
    });
  }

  std::map<std::string, size_t> before_;
};

TEST_F(RunTest, EndsAsItsCommandDoes) {
  const Result<RunOutcome> exited = Run(Shell("exit 7"));
  ASSERT_TRUE(exited) << exited.error().message;
  EXPECT_EQ(exited->end, RunEnd::kExited);
  EXPECT_EQ(exited->exit_code, 7);
  EXPECT_EQ(exited->run_id.size(), 32U);
  const Result<RunOutcome> killed = Run(Shell("kill -TERM $$"));
  ASSERT_TRUE(killed);
  EXPECT_EQ(killed->end, RunEnd::kSignaled);
  EXPECT_EQ(killed->signal, SIGTERM);
}

TEST_F(RunTest, EndsAtItsDeadline) {
  RunRequest request = Shell("trap '' TERM INT HUP; sleep 1000");
  request.timeout = milliseconds(200);
  const auto start = std::chrono::steady_clock::now();
  const Result<RunOutcome> outcome = Run(request);
  const auto took = std::chrono::steady_clock::now() - start;
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->end, RunEnd::kTimedOut);
  EXPECT_GE(took, milliseconds(200));
  EXPECT_LT(took, kPatience);
}

TEST_F(RunTest, TellsWhyACommandDidNotStart) {
  const Result<RunOutcome> missing = Run(RequestFor({"no-such-command-anywhere"}));
  ASSERT_TRUE(missing);
  EXPECT_EQ(missing->end, RunEnd::kNotFound);
  EXPECT_EQ(missing->start_errno, ENOENT);
  const Result<RunOutcome> data = Run(RequestFor({"/etc/passwd"}));
  ASSERT_TRUE(data);
  EXPECT_EQ(data->end, RunEnd::kNotExecutable);
  EXPECT_EQ(data->start_errno, EACCES);
}

TEST_F(RunTest, TakesWhatItsCommandLeftBehindWithIt) {
  const Result<RunOutcome> outcome =
      Run(Shell("setsid sleep 1000 & sh -c 'kill -STOP $$' & sleep 1000 & exit 3"));
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->exit_code, 3);
}

TEST_F(RunTest, IsRefusedWithANetworkSocketForAStream) {
  const pid_t child = fork();
  if (child == 0) {
    const int socket_fd = socket(AF_INET, SOCK_STREAM, 0);
    if (dup2(socket_fd, STDIN_FILENO) != STDIN_FILENO) _exit(2);
    const Result<RunOutcome> outcome = Run(Shell("exit 0"));
    _exit(!outcome && outcome.error().code == ErrorCode::kRefused ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(RunTest, EndsWhenItsSupervisorIsKilled) {
  const pid_t supervisor = StartSupervisor(Shell("setsid sleep 1000 & sleep 1000"));
  ASSERT_TRUE(AwaitRun());
  usleep(100'000);  // Past its start, so that the guardian is there.
  End(supervisor);
  EXPECT_TRUE(Eventually([this] { return IsNothingLeft(); }));
}

TEST_F(RunTest, EndsAmongForksWhenAStoppedSupervisorIsKilled) {
  const RunRequest request = Shell("while :; do sh -c 'setsid sleep 1000 &'; sleep 0.01; done");
  const pid_t supervisor = StartSupervisor(request);
  ASSERT_TRUE(AwaitRun());
  usleep(100'000);
  kill(supervisor, SIGSTOP);
  End(supervisor);
  EXPECT_TRUE(Eventually([this] { return IsNothingLeft(); })) << "its children kept being born";
}

}  // namespace
}  // namespace palyra::engine
