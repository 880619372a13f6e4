// Calls are counted exactly, across processes.

#include "engine/tools/call_budgets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/temp_dir.h"

namespace palyra::engine {
namespace {

using testing::HasSubstr;

constexpr int64_t kNow = 1'800'000'000'000;
constexpr int64_t kHour = 3'600'000;
constexpr uid_t kCaller = 1000;

class CallBudgetsTest : public testing::Test {
 protected:
  [[nodiscard]] std::string Refusal(const std::string& tool, const std::string& budget, int64_t now,
                                    uid_t caller = kCaller) const {
    const Result<void> taken = budgets_.Take(caller, {{tool, *ParseBudget(budget)}}, now);
    if (taken) return "";
    EXPECT_EQ(taken.error().code, ErrorCode::kRefused) << taken.error().message;
    return taken.error().message;
  }

  const tests::TempDir files_;
  const CallBudgets budgets_{files_.Path("budgets")};
};

TEST_F(CallBudgetsTest, NoStretchOfTimeHasMore) {
  EXPECT_EQ(Refusal("npm", "2/h", kNow), "");
  EXPECT_EQ(Refusal("npm", "2/h", kNow + 1000), "");
  const std::string spent = Refusal("npm", "2/h", kNow + 2000);
  EXPECT_THAT(spent, HasSubstr("the tool \"npm\" for uid 1000 is spent, which is 2/h"));
  EXPECT_THAT(spent, HasSubstr("free again at 2027-01-15T09:00:00"));
  EXPECT_NE(Refusal("npm", "2/h", kNow + kHour - 1), "");
  EXPECT_EQ(Refusal("npm", "2/h", kNow + kHour), "") << "the first has ended";
  EXPECT_NE(Refusal("npm", "2/h", kNow + kHour), "") << "the second has not";
  EXPECT_EQ(Refusal("npm", "2/h", kNow + kHour + 1000), "");
  EXPECT_EQ(std::filesystem::file_size(files_.Path("budgets/1000/npm")), 16U);
}

TEST_F(CallBudgetsTest, AreOfOneCallerAndOneTool) {
  EXPECT_EQ(Refusal("npm", "1/h", kNow), "");
  EXPECT_NE(Refusal("npm", "1/h", kNow), "");
  EXPECT_EQ(Refusal("git", "1/h", kNow), "");
  EXPECT_EQ(Refusal("npm", "1/h", kNow, 1001), "");
}

TEST_F(CallBudgetsTest, AreAllTakenOrNone) {
  const CallBudgets::Asked both = {{"npm", *ParseBudget("5/h")}, {kAllTools, *ParseBudget("1/h")}};
  EXPECT_TRUE(budgets_.Take(kCaller, both, kNow));
  const Result<void> refused = budgets_.Take(kCaller, both, kNow);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("the budget of all tools for uid 1000"));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Refusal("npm", "5/h", kNow), "") << "the refused took none";
  EXPECT_NE(Refusal("npm", "5/h", kNow), "");
}

TEST_F(CallBudgetsTest, MayBeChanged) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Refusal("npm", "5/h", kNow + i), "");
  EXPECT_THAT(Refusal("npm", "2/h", kNow + 10), HasSubstr("09:00:00.003"));
  EXPECT_EQ(Refusal("npm", "6/h", kNow + 10), "");
  EXPECT_EQ(Refusal("npm", "1/s", kNow + 2000), "");
}

TEST_F(CallBudgetsTest, AClockThatIsSetBackBlocksNoLongerThanTheTime) {
  EXPECT_EQ(Refusal("npm", "1/h", kNow + 1000 * kHour), "");
  EXPECT_NE(Refusal("npm", "1/h", kNow), "");
  EXPECT_EQ(Refusal("npm", "1/h", kNow + kHour), "");
}

TEST_F(CallBudgetsTest, WhatCannotBeCountedIsAnError) {
  EXPECT_EQ(Refusal("npm", "1/h", kNow), "");
  std::ofstream(files_.Path("budgets/1000/npm")) << std::string(100'000, 'x');
  const Result<void> taken = budgets_.Take(kCaller, {{"npm", *ParseBudget("1/h")}}, kNow);
  ASSERT_FALSE(taken);
  EXPECT_NE(taken.error().code, ErrorCode::kRefused);
  // A part of a time is none.
  std::ofstream(files_.Path("budgets/1000/git")) << "xyz";
  EXPECT_EQ(Refusal("git", "1/h", kNow), "");
  EXPECT_NE(Refusal("git", "1/h", kNow), "");
  std::filesystem::remove(files_.Path("budgets/1000/git"));
  std::filesystem::create_symlink(files_.Path("elsewhere"), files_.Path("budgets/1000/git"));
  EXPECT_FALSE(budgets_.Take(kCaller, {{"git", *ParseBudget("1/h")}}, kNow));
  EXPECT_FALSE(std::filesystem::exists(files_.Path("elsewhere")));
}

TEST_F(CallBudgetsTest, ManyAtOnceTakeWhatThereIs) {
  constexpr int kProcesses = 8;
  constexpr int kCallsEach = 50;
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      int taken = 0;
      for (int call = 0; call < kCallsEach; ++call) {
        if (budgets_.Take(kCaller, {{"npm", *ParseBudget("100/h")}}, kNow)) ++taken;
      }
      _exit(taken);
    }
    children.push_back(child);
  }
  int total = 0;
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    total += WEXITSTATUS(status);
  }
  EXPECT_EQ(total, 100);
}

}  // namespace
}  // namespace palyra::engine
