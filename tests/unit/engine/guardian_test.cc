#include "engine/guardian.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <functional>
#include <string>
#include <utility>

#include "base/file.h"
#include "tests/support/temp_dir.h"

namespace palyra::engine {
namespace {

constexpr int kPatienceMs = 20'000;

// A supervisor process with a guardian, whose end is told through a pipe: 'g' by the guardian, 's'
// by the supervisor. The pipe ends when both are gone.
class Supervised {
 public:
  using Life = std::function<void(Guardian&)>;

  // `life` runs in the supervisor once the guardian is there.
  explicit Supervised(const Life& life) {
    std::array<int, 2> ends = {-1, -1};
    EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    told_.Reset(ends[0]);
    const UniqueFd tell(ends[1]);
    pid_ = fork();
    if (pid_ == 0) {
      told_.Reset();
      Live(life, tell.get());
    }
  }
  Supervised(const Supervised&) = delete;
  Supervised& operator=(const Supervised&) = delete;
  ~Supervised() { Kill(); }

  void Kill() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(std::exchange(pid_, -1), nullptr, 0);
  }

  // What is told from now on, until both are gone or patience ends ("?").
  [[nodiscard]] std::string Rest() const {
    std::string rest;
    char byte = 0;
    while (true) {
      if (!Readable()) return rest + "?";
      if (read(told_.get(), &byte, 1) != 1) return rest;
      rest += byte;
    }
  }

  // The next byte told; '?' if none comes.
  [[nodiscard]] char Next() const {
    char byte = '?';
    if (Readable() && read(told_.get(), &byte, 1) != 1) return '?';
    return byte;
  }

  // The one child of the supervisor; valid once it has told something.
  [[nodiscard]] pid_t GuardianPid() const {
    const std::string self = std::to_string(pid_);
    const Result<std::string> children =
        base::ReadFile("/proc/" + self + "/task/" + self + "/children");
    pid_t pid = -1;
    if (children) std::from_chars(children->data(), children->data() + children->size(), pid);
    return pid;
  }

 private:
  [[noreturn]] static void Live(const Life& life, int tell) {
    const auto say = [tell](char byte) { (void)!write(tell, &byte, 1); };
    Result<Guardian> guardian = Guardian::Start([say] { say('g'); });
    if (!guardian) _exit(1);
    say('s');
    life(*guardian);
    _exit(0);
  }

  [[nodiscard]] bool Readable() const {
    pollfd waited = {.fd = told_.get(), .events = POLLIN, .revents = 0};
    return poll(&waited, 1, kPatienceMs) == 1;
  }

  UniqueFd told_;
  pid_t pid_ = -1;
};

void SleepForever(Guardian& /*guardian*/) {
  while (true) pause();
}

TEST(Guardian, ActsWhenItsSupervisorIsKilled) {
  Supervised supervised(SleepForever);
  ASSERT_EQ(supervised.Next(), 's');
  supervised.Kill();
  EXPECT_EQ(supervised.Rest(), "g");
}

TEST(Guardian, ActsWhenItsSupervisorExitsWithoutAWord) {
  const Supervised supervised([](Guardian&) { _exit(0); });
  EXPECT_EQ(supervised.Rest(), "sg");
}

TEST(Guardian, DoesNothingOnceDismissed) {
  const Supervised supervised([](Guardian& guardian) {
    guardian.Dismiss();
    _exit(0);  // Not even destroyed.
  });
  EXPECT_EQ(supervised.Rest(), "s");
}

TEST(Guardian, DoesNothingOnceDestroyed) {
  const Supervised supervised([](Guardian& guardian) {
    {
      const Guardian owner(std::move(guardian));
    }
    // Waited for: no child is left.
    _exit(waitpid(-1, nullptr, WNOHANG) < 0 ? 0 : 1);
  });
  EXPECT_EQ(supervised.Rest(), "s");
}

TEST(Guardian, IsDeafToSignalsAndASessionOfItsOwn) {
  Supervised supervised(SleepForever);
  ASSERT_EQ(supervised.Next(), 's');
  const pid_t guardian = supervised.GuardianPid();
  ASSERT_GT(guardian, 0);
  // Its first acts: a signal before them would be the test's own doing.
  const std::string status = "/proc/" + std::to_string(guardian) + "/status";
  const auto is_deaf = [&status] {
    return tests::ReadText(status).find("SigBlk:\t0000000000000000") == std::string::npos;
  };
  for (int i = 0; i < kPatienceMs && !is_deaf(); ++i) usleep(1000);
  ASSERT_TRUE(is_deaf());
  EXPECT_EQ(getsid(guardian), guardian);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGPIPE, SIGALRM}) {
    ASSERT_EQ(kill(guardian, signal), 0);
  }
  supervised.Kill();
  EXPECT_EQ(supervised.Rest(), "g");
}

TEST(Guardian, LeavesTheStandardStreams) {
  const Supervised supervised(SleepForever);
  ASSERT_EQ(supervised.Next(), 's');
  const std::string links = "/proc/" + std::to_string(supervised.GuardianPid()) + "/fd/";
  for (const char* fd : {"0", "1", "2"}) {
    std::array<char, 64> target = {};
    for (int i = 0; i < 1000 && std::string(target.data()) != "/dev/null"; ++i) {
      target = {};
      EXPECT_GT(readlink((links + fd).c_str(), target.data(), target.size() - 1), 0);
      usleep(1000);
    }
    EXPECT_STREQ(target.data(), "/dev/null");
  }
}

}  // namespace
}  // namespace palyra::engine
