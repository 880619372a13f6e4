#include "engine/run_lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "base/unique_fd.h"
#include "tests/support/temp_dir.h"

namespace palyra::engine {
namespace {

namespace fs = std::filesystem;

class RunLockTest : public testing::Test {
 protected:
  [[nodiscard]] RunLock Create() const {
    Result<RunLock> lock = RunLock::CreateUnique(runtime_.path());
    EXPECT_TRUE(lock) << lock.error().message;
    return *std::move(lock);
  }

  // Whether the lock of `id` was free; it is given back.
  [[nodiscard]] bool IsAbandoned(const std::string& id) const {
    const Result<std::optional<RunLock>> taken = RunLock::TakeAbandoned(runtime_.path(), id);
    EXPECT_TRUE(taken) << taken.error().message;
    return taken && taken->has_value();
  }

  [[nodiscard]] std::string PathOf(const std::string& id) const {
    return RunLockDirectory(runtime_.path()) + '/' + id;
  }

  // The id of a lock whose supervisor died without giving it back.
  [[nodiscard]] std::string Abandon() const {
    const pid_t supervisor = fork();
    if (supervisor == 0) {
      const Result<RunLock> lock = RunLock::CreateUnique(runtime_.path());
      _exit(lock ? 0 : 1);
    }
    int status = -1;
    EXPECT_EQ(waitpid(supervisor, &status, 0), supervisor);
    EXPECT_EQ(status, 0);
    return OnlyId();
  }

  [[nodiscard]] std::string OnlyId() const {
    return fs::directory_iterator(RunLockDirectory(runtime_.path()))->path().filename();
  }

  const tests::TempDir runtime_;
};

TEST_F(RunLockTest, GivesEachRunAnIdOfThirtyTwoHexadecimalDigits) {
  std::set<std::string> ids;
  for (int i = 0; i < 100; ++i) {
    const RunLock lock = Create();
    EXPECT_EQ(lock.id().size(), 32U);
    EXPECT_EQ(lock.id().find_first_not_of("0123456789abcdef"), std::string::npos) << lock.id();
    ids.insert(lock.id());
  }
  EXPECT_EQ(ids.size(), 100U);
}

TEST_F(RunLockTest, IsNobodysBusinessButRoots) {
  const RunLock lock = Create();
  struct stat status = {};
  ASSERT_EQ(stat(PathOf(lock.id()).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
  ASSERT_EQ(stat(RunLockDirectory(runtime_.path()).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700U);
}

TEST_F(RunLockTest, IsBusyWhileItsSupervisorLives) {
  const RunLock lock = Create();
  EXPECT_FALSE(IsAbandoned(lock.id()));
  EXPECT_TRUE(fs::exists(PathOf(lock.id()))) << "asking takes nothing away";
}

TEST_F(RunLockTest, StaysHeldWhenMoved) {
  RunLock first = Create();
  const std::string id = first.id();
  {
    const RunLock second(std::move(first));
    EXPECT_EQ(second.id(), id);
    EXPECT_FALSE(IsAbandoned(id));
  }
  EXPECT_FALSE(fs::exists(PathOf(id)));
}

TEST_F(RunLockTest, LeavesNoFileWhenGivenBack) {
  std::string id;
  {
    const RunLock lock = Create();
    id = lock.id();
  }
  EXPECT_FALSE(fs::exists(PathOf(id)));
}

TEST_F(RunLockTest, IsFreeOnceItsSupervisorIsDead) {
  const std::string id = Abandon();
  ASSERT_TRUE(fs::exists(PathOf(id))) << "a killed supervisor cleans nothing up";
  {
    const Result<std::optional<RunLock>> taken = RunLock::TakeAbandoned(runtime_.path(), id);
    ASSERT_TRUE(taken);
    ASSERT_TRUE(taken->has_value());
    EXPECT_EQ((*taken)->id(), id);
    EXPECT_FALSE(IsAbandoned(id)) << "two sweeps do not end one run at the same time";
  }
  EXPECT_FALSE(fs::exists(PathOf(id)));
}

// The guardian of a killed supervisor ends the run itself; a sweep waits for it.
TEST_F(RunLockTest, IsBusyWhileAForkedGuardianLives) {
  std::array<int, 2> ends = {-1, -1};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd tell(ends[1]);
  const UniqueFd told(ends[0]);
  const pid_t supervisor = fork();
  if (supervisor == 0) {
    const Result<RunLock> lock = RunLock::CreateUnique(runtime_.path());
    const pid_t guardian = fork();
    if (guardian == 0) {
      while (true) pause();
    }
    (void)!write(tell.get(), &guardian, sizeof(guardian));
    _exit(lock ? 0 : 1);
  }
  pid_t guardian = -1;
  ASSERT_EQ(read(told.get(), &guardian, sizeof(guardian)), ssize_t{sizeof(guardian)});
  waitpid(supervisor, nullptr, 0);
  const std::string id = OnlyId();
  EXPECT_FALSE(IsAbandoned(id));
  kill(guardian, SIGKILL);
  bool abandoned = false;
  for (int i = 0; i < 10'000 && !abandoned; ++i) {
    abandoned = IsAbandoned(id);
    usleep(1000);
  }
  EXPECT_TRUE(abandoned);
}

TEST_F(RunLockTest, IsTakenForARunWithoutAFile) {
  const RunLock another = Create();  // Makes the directory.
  EXPECT_TRUE(IsAbandoned("0123456789abcdef0123456789abcdef"));
}

TEST_F(RunLockTest, IsTakenWhereAFileIsOnlyStale) {
  const RunLock another = Create();
  const std::string id(32, 'a');
  ASSERT_TRUE(tests::ReadText(runtime_.Write("runs/" + id, "from before")).starts_with("from"));
  EXPECT_TRUE(IsAbandoned(id));
  EXPECT_FALSE(fs::exists(PathOf(id)));
}

TEST_F(RunLockTest, FailsWhereThereIsNoRuntimeDirectory) {
  const Result<RunLock> lock = RunLock::CreateUnique(runtime_.Path("missing"));
  ASSERT_FALSE(lock);
  EXPECT_EQ(lock.error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(RunLock::TakeAbandoned(runtime_.Path("missing"), "id"));
}

// A sweep that sees the file of a lock before it is taken may remove it; the new run then must not
// go on with a lock that nobody else can see.
TEST_F(RunLockTest, IsNeverStolenByASweepAtTheSameTime) {
  std::atomic<bool> stop = false;
  std::atomic<int> swept = 0;
  {
    const RunLock first = Create();
  }
  std::thread sweeper([&] {
    while (!stop) {
      std::error_code gone;
      for (const auto& entry : fs::directory_iterator(RunLockDirectory(runtime_.path()), gone)) {
        (void)RunLock::TakeAbandoned(runtime_.path(), entry.path().filename());
        ++swept;
      }
    }
  });
  for (int i = 0; i < 3000; ++i) {
    const RunLock lock = Create();
    ASSERT_TRUE(fs::exists(PathOf(lock.id()))) << "the file of a held lock is gone";
    ASSERT_FALSE(IsAbandoned(lock.id()));
  }
  stop = true;
  sweeper.join();
  EXPECT_GT(swept, 0);
}

}  // namespace
}  // namespace palyra::engine
