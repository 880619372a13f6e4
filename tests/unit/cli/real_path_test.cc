#include "cli/real_path.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/support/temp_dir.h"

namespace palyra::cli {
namespace {

namespace fs = std::filesystem;

class RealPathTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(directory_.Path("a/b"));
    (void)directory_.Write("a/file", "x");
    fs::create_symlink("a/b", directory_.Path("link"));
    fs::create_symlink("nowhere", directory_.Path("dangling"));
    before_ = fs::current_path();
    fs::current_path(directory_.path());
  }
  void TearDown() override {
    fs::current_path(before_);
    unsetenv("SUDO_UID");
  }

  const tests::TempDir directory_;
  fs::path before_;
};

TEST_F(RealPathTest, IsWhatTheKernelResolves) {
  EXPECT_EQ(RealPath("a/file"), directory_.Path("a/file"));
  EXPECT_EQ(RealPath(directory_.Path("a/./b/../file")), directory_.Path("a/file"));
  EXPECT_EQ(RealPath("link"), directory_.Path("a/b"));
  EXPECT_EQ(RealPath("link/.."), directory_.Path("a")) << "not by its text";
  EXPECT_EQ(RealPath("."), directory_.path());
  EXPECT_EQ(RealPath("/"), "/");
  EXPECT_EQ(RealPath("//"), "/");
}

TEST_F(RealPathTest, OfWhatIsNotThereYetStaysAsWritten) {
  EXPECT_EQ(RealPath("link/new/er"), directory_.Path("a/b/new/er"));
  EXPECT_EQ(RealPath("new/./er//"), directory_.Path("new/er"));
  EXPECT_EQ(RealPath("a/*"), directory_.Path("a/*"));
  EXPECT_EQ(RealPath("/nowhere-at-all/x"), "/nowhere-at-all/x");
}

TEST_F(RealPathTest, RefusesWhatCannotBeKnown) {
  for (const char* path : {"", "new/..", "new/../a", "dangling", "dangling/x", "a/file/x"}) {
    EXPECT_FALSE(RealPath(path)) << path;
  }
}

TEST_F(RealPathTest, OfADirectoryIsOneThatIsThere) {
  EXPECT_EQ(RealDirectory("link"), directory_.Path("a/b"));
  EXPECT_FALSE(RealDirectory("a/file"));
  EXPECT_FALSE(RealDirectory("new"));
  EXPECT_FALSE(RealDirectory(""));
  ASSERT_TRUE(ChangeDirectory("link"));
  EXPECT_EQ(fs::current_path(), directory_.Path("a/b"));
}

// Who may use palyra-run by sudo learns nothing of what is where they cannot look.
TEST_F(RealPathTest, IsResolvedByTheRightsOfWhoCalledSudo) {
  if (geteuid() != 0) GTEST_SKIP() << "only root changes as whom files are asked for";
  ASSERT_EQ(chmod(directory_.Path("a").c_str(), 0700), 0);
  EXPECT_TRUE(RealPath("a/file"));
  setenv("SUDO_UID", "65534", 1);
  const Result<std::string> closed = RealPath("a/file");
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().system_errno, EACCES);
  EXPECT_FALSE(RealPath("a/nothing"));
  EXPECT_FALSE(RealDirectory("a/b"));
  EXPECT_FALSE(ChangeDirectory("a/b"));
  EXPECT_TRUE(RealPath("new"));
  unsetenv("SUDO_UID");
  EXPECT_TRUE(RealPath("a/file")) << "the rights come back";
}

}  // namespace
}  // namespace palyra::cli
