#include "engine/cell_root.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "tests/support/require_feature.h"
#include "tests/support/temp_dir.h"

namespace palyra::engine {
namespace {

namespace fs = std::filesystem;

// What EnterCellRoot says in a child; 255 where there could be none.
int EnterInChild(const CellRoot& root) {
  const pid_t child = fork();
  if (child == 0) {
    const bool is_private = unshare(CLONE_NEWNS | CLONE_NEWCGROUP) == 0 &&
                            mount("", "/", "", MS_PRIVATE | MS_REC, nullptr) == 0;
    _exit(is_private ? EnterCellRoot(root, ToolUser()) : 255);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

class CellRootTest : public testing::Test {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(tests::Root());
    fs::create_directories(place_);
    view_.shown.push_back(
        {.path = place_, .is_directory = true, .is_device = false, .writable = true});
  }

  const tests::TempDir runtime_;
  const tests::TempDir tree_;
  const tests::TempDir elsewhere_;
  const std::string place_ = tree_.Path("above/workspace");
  CellView view_;
};

TEST_F(CellRootTest, IsBuiltOfWhatIsShown) {
  const Result<CellRoot> root = PrepareCellRoot(view_, runtime_.path(), std::nullopt);
  ASSERT_TRUE(root) << root.error().message;
  EXPECT_EQ(EnterInChild(*root), 0);
}

// Root makes nothing on the host: whoever owns the directories may exchange them meanwhile.
TEST_F(CellRootTest, MakesNothingWhereALinkLeadsByThen) {
  const Result<CellRoot> root = PrepareCellRoot(view_, runtime_.path(), std::nullopt);
  ASSERT_TRUE(root) << root.error().message;
  fs::rename(tree_.Path("above"), tree_.Path("moved"));
  fs::create_symlink(elsewhere_.path(), tree_.Path("above"));
  EXPECT_EQ(EnterInChild(*root), ELOOP);
  EXPECT_TRUE(fs::is_empty(elsewhere_.path()));
}

TEST_F(CellRootTest, MountsNothingOnWhatIsAnotherByThen) {
  view_.shown.insert(
      view_.shown.begin(),
      {.path = tree_.path(), .is_directory = true, .is_device = false, .writable = false});
  const Result<CellRoot> root = PrepareCellRoot(view_, runtime_.path(), std::nullopt);
  ASSERT_TRUE(root) << root.error().message;
  fs::rename(tree_.Path("above"), tree_.Path("moved"));
  fs::create_directories(place_);
  EXPECT_EQ(EnterInChild(*root), ESTALE);
}

TEST_F(CellRootTest, TemporaryFilesHaveASize) {
  const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  EXPECT_EQ(PrepareCellRoot(view_, runtime_.path(), 0)->temporary_bytes, page);
  EXPECT_EQ(PrepareCellRoot(view_, runtime_.path(), 16 * page)->temporary_bytes, 16 * page);
  const uint64_t half = page * static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) / 2;
  EXPECT_EQ(PrepareCellRoot(view_, runtime_.path(), UINT64_MAX)->temporary_bytes, half);
}

}  // namespace
}  // namespace palyra::engine
