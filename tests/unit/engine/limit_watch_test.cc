// What the supervisor measures by itself, where no controller holds a limit.

#include "engine/limit_watch.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "engine/tree_usage.h"
#include "tests/support/require_feature.h"
#include "tests/unit/engine/own_kernel.h"

namespace palyra::engine {
namespace {

constexpr size_t kMebibyte = size_t{1} << 20;

[[noreturn]] void WaitForever() {
  while (true) pause();
}

[[noreturn]] void Hold16Mebibytes() {
  void* const memory = mmap(nullptr, 16 * kMebibyte, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) _exit(1);
  std::memset(memory, 1, 16 * kMebibyte);
  WaitForever();
}

// 16 MiB once, in two processes.
void Share16Mebibytes() {
  void* const memory = mmap(nullptr, 16 * kMebibyte, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) _exit(1);
  std::memset(memory, 1, 16 * kMebibyte);
  if (fork() == 0) std::memset(memory, 2, 16 * kMebibyte);
  WaitForever();
}

void ForkSix() {
  for (int i = 0; i < 6; ++i) {
    if (fork() == 0) WaitForever();
  }
  WaitForever();
}

void Spin() {
  while (true) {
  }
}

class LimitWatchTest : public testing::Test {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(tests::Root());
    const std::string path = OwnKernel::Get().CgroupPath("case");
    Result<Cgroup> cgroup = Cgroup::Create(path);
    ASSERT_TRUE(cgroup);
    cgroup_.emplace(*std::move(cgroup));
  }

  void TearDown() override {
    if (!cgroup_) return;
    EXPECT_TRUE(KillCgroup(*cgroup_, KillMethod::kTreeKill, kPatience));
    for (const pid_t child : children_) waitpid(child, nullptr, 0);
    EXPECT_TRUE(RemoveCgroup(cgroup_->path()));
  }

  void Start(void (*body)()) { children_.push_back(StartInCgroup(cgroup_->path(), body)); }

  // Serves until a limit is hit or `limit` has passed.
  std::optional<LimitKind> Watch(const RunLimits& measured, std::chrono::milliseconds limit) {
    Result<LimitWatch> watch = LimitWatch::Start(*cgroup_, {}, measured);
    EXPECT_TRUE(watch);
    if (!watch) return std::nullopt;
    const auto until = std::chrono::steady_clock::now() + limit;
    while (!watch->hit() && std::chrono::steady_clock::now() < until) {
      pollfd ready{.fd = watch->fd(), .events = POLLIN, .revents = 0};
      poll(&ready, 1, 50);
      watch->Serve();
    }
    return watch->hit();
  }

  // Long enough for several measurements.
  static constexpr std::chrono::milliseconds kAWhile{400};
  std::optional<Cgroup> cgroup_;
  std::vector<pid_t> children_;
};

// A sanitizer maps far more than these tests do.
#ifdef __SANITIZE_ADDRESS__
constexpr bool kMapsLittle = false;
#else
constexpr bool kMapsLittle = true;
#endif

TEST_F(LimitWatchTest, MeasuresMemoryOfAllProcessesTogether) {
  if (!kMapsLittle) GTEST_SKIP() << "a sanitizer maps far more memory than is measured";
  Start(Hold16Mebibytes);
  EXPECT_EQ(Watch({.memory = 28 * kMebibyte}, kAWhile), std::nullopt);
  Start(Hold16Mebibytes);
  EXPECT_EQ(Watch({.memory = 28 * kMebibyte}, kPatience), LimitKind::kMemory);
  EXPECT_EQ(Watch({.memory = 20 * kMebibyte, .swap = 30 * kMebibyte}, kAWhile), std::nullopt);
}

TEST_F(LimitWatchTest, CountsSharedMemoryOnce) {
  if (!kMapsLittle) GTEST_SKIP() << "a sanitizer maps far more memory than is measured";
  Start(Share16Mebibytes);
  EXPECT_EQ(Watch({.memory = 14 * kMebibyte}, kPatience), LimitKind::kMemory);
  EXPECT_EQ(Watch({.memory = 28 * kMebibyte}, kAWhile), std::nullopt);
  EXPECT_GE(MappedMemoryOf(*cgroup_, 0), 16 * kMebibyte);
  EXPECT_LT(MappedMemoryOf(*cgroup_, 0), 28 * kMebibyte);
}

TEST_F(LimitWatchTest, CountsProcesses) {
  Start(ForkSix);
  EXPECT_EQ(Watch({.processes = 6}, kPatience), LimitKind::kProcesses);
  EXPECT_EQ(Watch({.processes = 7}, kAWhile), std::nullopt);
}

TEST_F(LimitWatchTest, AddsUpProcessorTime) {
  EXPECT_EQ(Watch({.cpu_time = std::chrono::milliseconds(50)}, kAWhile), std::nullopt);
  Start(Spin);
  Start(Spin);
  EXPECT_EQ(Watch({.cpu_time = std::chrono::milliseconds(50)}, kPatience), LimitKind::kCpuTime);
  EXPECT_GE(CpuTimeOf(*cgroup_).value(), std::chrono::milliseconds(50));
  EXPECT_EQ(Watch({.cpu_time = std::chrono::hours(1)}, kAWhile), std::nullopt);
}

TEST(NumberAfter, TakesWholeNamesAtTheBeginningOfALine) {
  constexpr std::string_view kText =
      "oom_kill_disable 0\nunder_oom 5\noom_kill 7\nVmRSS:\t  12 kB\n";
  EXPECT_EQ(NumberAfter(kText, "oom_kill"), 7U);
  EXPECT_EQ(NumberAfter(kText, "under_oom"), 5U);
  EXPECT_EQ(NumberAfter(kText, "VmRSS:"), 12U);
  EXPECT_EQ(NumberAfter(kText, "oom"), std::nullopt);
  EXPECT_EQ(NumberAfter(kText, "kill"), std::nullopt);
  EXPECT_EQ(NumberAfter("name\nname x\nname 3", "name"), 3U);
  EXPECT_EQ(NumberAfter("", "name"), std::nullopt);
}

}  // namespace
}  // namespace palyra::engine
