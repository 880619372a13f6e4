#include "engine/placeholders.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/run_lock.h"
#include "tests/support/temp_dir.h"

namespace palyra::engine {
namespace {

namespace fs = std::filesystem;

class PlaceholdersTest : public testing::Test {
 protected:
  PlaceholdersTest() {
    user_.uid = getuid();
    user_.gid = getgid();
  }

  [[nodiscard]] Result<Placeholders> Make(const std::string& run, const FileView& view) const {
    return Placeholders::Make(runtime_.path(), run, view, user_);
  }

  // A directory and in it another; and a file.
  [[nodiscard]] FileView Missing() const {
    FileView view;
    view.placeholders = {{.path = place_.Path(".git"), .is_directory = true},
                         {.path = place_.Path(".git") + "/hooks", .is_directory = true},
                         {.path = place_.Path(".envrc"), .is_directory = false}};
    return view;
  }

  // Of a run for which they are there.
  [[nodiscard]] FileView Protected() const {
    FileView view;
    for (const Placeholder& each : Missing().placeholders) {
      view.mounts.push_back({.path = each.path,
                             .is_directory = each.is_directory,
                             .read_only = true,
                             .no_exec = true,
                             .no_devices = false,
                             .masked = false});
    }
    return view;
  }

  [[nodiscard]] bool AllAreThere() const {
    return std::ranges::all_of(Missing().placeholders,
                               [](const Placeholder& each) { return fs::exists(each.path); });
  }
  [[nodiscard]] bool NoneIsThere() const { return fs::is_empty(place_.path()); }

  tests::TempDir runtime_;
  tests::TempDir place_;
  ToolUser user_;
};

TEST_F(PlaceholdersTest, AreThereUntilTheyAreRemoved) {
  const Result<Placeholders> made = Make("a", Missing());
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_TRUE(AllAreThere());
  made->Remove();
  EXPECT_TRUE(NoneIsThere());
  made->Remove();
}

TEST_F(PlaceholdersTest, WhatSomebodyHasFilledOrReplacedStays) {
  const Result<Placeholders> made = Make("a", Missing());
  ASSERT_TRUE(made);
  (void)place_.Write(".envrc", "text");
  fs::rename(place_.Path(".git"), place_.Path("moved"));
  fs::create_directories(place_.Path(".git") + "/hooks");
  made->Remove();
  EXPECT_TRUE(AllAreThere());
}

TEST_F(PlaceholdersTest, HaveTheirTextAndAreRemovedWithIt) {
  FileView view;
  view.placeholders = {{.path = place_.Path("one"), .is_directory = false, .text = ".\n"},
                       {.path = place_.Path("two"), .is_directory = false, .text = ".\n"}};
  const Result<Placeholders> placeholders = Make("run", view);
  ASSERT_TRUE(placeholders) << placeholders.error().message;
  EXPECT_EQ(tests::ReadText(place_.Path("one")), ".\n");
  ASSERT_EQ(tests::ReadText(place_.Write("two", "longer")), "longer");
  placeholders->Remove();
  EXPECT_FALSE(fs::exists(place_.Path("one")));
  EXPECT_TRUE(fs::exists(place_.Path("two"))) << "somebody has filled it";
}

TEST_F(PlaceholdersTest, WhatHasComeIntoBeingMeanwhileIsAnErrorAndLeavesNothing) {
  (void)place_.Write(".envrc", "");
  const Result<Placeholders> made = Make("a", Missing());
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE(fs::exists(place_.Path(".git")));
  EXPECT_TRUE(fs::exists(place_.Path(".envrc")));
}

TEST_F(PlaceholdersTest, TheLastRunRemovesThem) {
  const Result<Placeholders> first = Make("a", Missing());
  const Result<Placeholders> second = Make("b", Protected());
  ASSERT_TRUE(first && second);
  first->Remove();
  EXPECT_TRUE(AllAreThere());
  second->Remove();
  EXPECT_TRUE(NoneIsThere());
}

// A run whose view was made before another run's placeholders, or without regard to them.
TEST_F(PlaceholdersTest, ThoseOfAnotherRunAreTakenAsTheyAre) {
  const Result<Placeholders> first = Make("first", Missing());
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(Placeholders::PathsThereAre(runtime_.path()).size(), 3U);
  FileView view = Protected();
  view.placeholders = Missing().placeholders;
  const Result<Placeholders> second = Make("second", view);
  ASSERT_TRUE(second) << second.error().message;
  first->Remove();
  EXPECT_TRUE(AllAreThere());
  second->Remove();
  EXPECT_TRUE(NoneIsThere());
  EXPECT_TRUE(Placeholders::PathsThereAre(runtime_.path()).empty());
}

TEST_F(PlaceholdersTest, AreNotMadeThroughALink) {
  const tests::TempDir elsewhere;
  fs::create_symlink(elsewhere.path(), place_.Path("link"));
  FileView view;
  view.placeholders = {{.path = place_.Path("link") + "/x", .is_directory = false}};
  EXPECT_FALSE(Make("a", view));
  EXPECT_TRUE(fs::is_empty(elsewhere.path()));
}

TEST_F(PlaceholdersTest, ASweepRemovesThoseOfDeadRuns) {
  std::optional<RunLock> lock;
  {
    Result<RunLock> taken = RunLock::CreateUnique(runtime_.path());
    ASSERT_TRUE(taken);
    lock.emplace(*std::move(taken));
  }
  ASSERT_TRUE(Make(lock->id(), Missing()));
  SweepPlaceholders(runtime_.path());
  EXPECT_TRUE(AllAreThere()) << "its supervisor lives";
  lock.reset();
  SweepPlaceholders(runtime_.path());
  EXPECT_TRUE(NoneIsThere());
}

}  // namespace
}  // namespace palyra::engine
