#include "base/unique_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <type_traits>
#include <utility>

namespace palyra {
namespace {

int OpenNull() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

bool IsOpen(int fd) { return fcntl(fd, F_GETFD) >= 0; }

static_assert(!std::is_copy_constructible_v<UniqueFd>);
static_assert(!std::is_copy_assignable_v<UniqueFd>);
static_assert(!std::is_convertible_v<int, UniqueFd>, "taking ownership is written out");
static_assert(!std::is_convertible_v<UniqueFd, int>, "so is borrowing");
static_assert(std::is_nothrow_move_constructible_v<UniqueFd>);

TEST(UniqueFd, OwnsNothingAtFirst) {
  const UniqueFd empty;
  EXPECT_FALSE(empty.valid());
  EXPECT_EQ(empty.get(), -1);
}

TEST(UniqueFd, ClosesAtItsEnd) {
  const int raw = OpenNull();
  {
    const UniqueFd fd(raw);
    EXPECT_TRUE(fd.valid());
    EXPECT_TRUE(IsOpen(raw));
  }
  EXPECT_FALSE(IsOpen(raw));
}

TEST(UniqueFd, OwnsDescriptorZeroToo) {
  const UniqueFd saved(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
  UniqueFd zero(STDIN_FILENO);
  EXPECT_TRUE(zero.valid());
  zero.Reset();
  EXPECT_FALSE(IsOpen(STDIN_FILENO));
  EXPECT_EQ(dup2(saved.valid() ? saved.get() : OpenNull(), STDIN_FILENO), STDIN_FILENO);
}

TEST(UniqueFd, MovesOwnership) {
  const int raw = OpenNull();
  UniqueFd first(raw);
  const UniqueFd second(std::move(first));
  EXPECT_FALSE(first.valid());  // NOLINT(bugprone-use-after-move): what a move leaves behind.
  EXPECT_EQ(second.get(), raw);
  first.Reset();
  EXPECT_TRUE(IsOpen(raw)) << "the new owner keeps it";
}

TEST(UniqueFd, MoveAssignmentClosesWhatWasOwned) {
  const int old_raw = OpenNull();
  const int new_raw = OpenNull();
  UniqueFd fd(old_raw);
  fd = UniqueFd(new_raw);
  EXPECT_EQ(fd.get(), new_raw);
  EXPECT_FALSE(IsOpen(old_raw));
  EXPECT_TRUE(IsOpen(new_raw));
}

TEST(UniqueFd, SurvivesAMoveToItself) {
  const int raw = OpenNull();
  UniqueFd fd(raw);
  UniqueFd& alias = fd;
  fd = std::move(alias);
  EXPECT_EQ(fd.get(), raw);
  EXPECT_TRUE(IsOpen(raw));
}

TEST(UniqueFd, GivesOwnershipAway) {
  const int raw = OpenNull();
  {
    UniqueFd fd(raw);
    EXPECT_EQ(fd.Release(), raw);
    EXPECT_FALSE(fd.valid());
  }
  EXPECT_TRUE(IsOpen(raw));
  close(raw);
}

TEST(UniqueFd, ResetToItsOwnDescriptorKeepsItOpen) {
  const int raw = OpenNull();
  UniqueFd fd(raw);
  fd.Reset(raw);
  EXPECT_EQ(fd.get(), raw);
  EXPECT_TRUE(IsOpen(raw));
}

TEST(UniqueFd, KeepsErrnoEvenWhereCloseFails) {
  const int raw = OpenNull();
  UniqueFd fd(raw);
  close(raw);  // Behind its back: the next close fails with EBADF.
  errno = ENOSPC;
  fd.Reset();
  EXPECT_EQ(errno, ENOSPC);
}

}  // namespace
}  // namespace palyra
