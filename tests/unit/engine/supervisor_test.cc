#include "engine/supervisor.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <optional>
#include <string>

#include "engine/live_run.h"
#include "tests/support/require_feature.h"
#include "tests/unit/engine/own_kernel.h"

namespace palyra::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

class SupervisorTest : public testing::Test {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(tests::Root());
    const OwnKernel& kernel = OwnKernel::Get();
    const policy::RuleSet nothing = {
        .prefixes = {}, .classes = {{}}, .reasons = {{.layers = {{policy::Layer::kCaller, {}}}}}};
    Result<LiveRun> run = LiveRun::Create(kernel.host(), kernel.objects(), nothing);
    ASSERT_TRUE(run) << run.error().message;
    run_.emplace(*std::move(run));
  }

  // A child of the run; what it got by a signal is what it exits with.
  void Start(void (*body)()) {
    child_.pid = StartInCgroup(run_->cgroup().path(), body);
    child_.pidfd.Reset(static_cast<int>(syscall(SYS_pidfd_open, child_.pid, 0)));
  }

  void TearDown() override { End(child_.pid); }

  WaitEnd Wait(std::optional<milliseconds> timeout) {
    Result<ForwardedSignals> signals = ForwardedSignals::Block();
    EXPECT_TRUE(signals);
    if (signal_to_self_ != 0) kill(getpid(), signal_to_self_);
    Result<WaitEnd> end = WaitForChild({.child = &child_,
                                        .signals = &*signals,
                                        .events = &run_->events(),
                                        .on_event = &on_event_,
                                        .timeout = timeout});
    EXPECT_TRUE(end) << end.error().message;
    return end.value_or(WaitEnd::kDeadline);
  }

  int Status() {
    int status = -1;
    waitpid(child_.pid, &status, 0);
    child_.pid = -1;
    return status;
  }

  std::optional<LiveRun> run_;
  Child child_;
  int signal_to_self_ = 0;
  int events_ = 0;
  EventRing::Handler on_event_ = [this](const palyra_event&) { ++events_; };
};

TEST_F(SupervisorTest, ReturnsWhenTheChildHasEndedWithoutReapingIt) {
  Start([] { _exit(7); });
  EXPECT_EQ(Wait(std::nullopt), WaitEnd::kChildEnded);
  const int status = Status();
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST_F(SupervisorTest, ReturnsAtTheDeadlineNotBefore) {
  Start([] { SleepForever(); });
  for (const milliseconds timeout : {milliseconds(1), milliseconds(150), milliseconds(1050)}) {
    const auto start = steady_clock::now();
    EXPECT_EQ(Wait(timeout), WaitEnd::kDeadline);
    EXPECT_GE(steady_clock::now() - start, timeout);
  }
  EXPECT_EQ(waitpid(child_.pid, nullptr, WNOHANG), 0) << "whoever waited decides what to do";
}

TEST_F(SupervisorTest, ReturnsAtOnceWhereTheDeadlineHasPassed) {
  Start([] { SleepForever(); });
  EXPECT_EQ(Wait(milliseconds(0)), WaitEnd::kDeadline);
}

TEST_F(SupervisorTest, PassesSignalsOn) {
  for (const int signal : {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2}) {
    // A shell's background job is started with some of them ignored, and so would be its child.
    ::signal(signal, SIG_DFL);
    Start([] { SleepForever(); });
    signal_to_self_ = signal;
    EXPECT_EQ(Wait(kPatience), WaitEnd::kChildEnded);
    const int status = Status();
    ASSERT_TRUE(WIFSIGNALED(status)) << signal;
    EXPECT_EQ(WTERMSIG(status), signal);
  }
}

TEST_F(SupervisorTest, BlocksForwardedSignalsOnlyWhileItWaits) {
  sigset_t before;
  sigprocmask(SIG_BLOCK, nullptr, &before);
  {
    const Result<ForwardedSignals> signals = ForwardedSignals::Block();
    ASSERT_TRUE(signals);
    sigset_t during;
    sigprocmask(SIG_BLOCK, nullptr, &during);
    EXPECT_EQ(sigismember(&during, SIGTERM), 1);
    EXPECT_EQ(sigismember(&during, SIGCHLD), 0);
    EXPECT_EQ(sigismember(&signals->previous_mask(), SIGTERM), sigismember(&before, SIGTERM));
  }
  sigset_t after;
  sigprocmask(SIG_BLOCK, nullptr, &after);
  EXPECT_EQ(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
}

// Asks for a raw socket without end; each is denied and told.
void Flood() {
  while (true) close(socket(AF_INET, SOCK_RAW, IPPROTO_UDP));
}

TEST_F(SupervisorTest, KeepsItsDeadlineInAFloodOfDenials) {
  Start(Flood);
  const auto start = steady_clock::now();
  EXPECT_EQ(Wait(milliseconds(300)), WaitEnd::kDeadline);
  EXPECT_LT(steady_clock::now() - start, kPatience);
  EXPECT_GT(events_, 100);
}

}  // namespace
}  // namespace palyra::engine
