// How long conditions on the time stay as they are.

#include "policy/compile/time_window.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "policy/datetime.h"
#include "policy/partial.h"
#include "tests/unit/policy/compile_fixture.h"
#include "tests/unit/policy/parse_helpers.h"

namespace palyra::policy {
namespace {

int64_t At(std::string_view text) { return Datetime::Parse(text).value().milliseconds(); }

const std::string kNow = "2026-03-10T12:00:00Z";

struct Case {
  std::string condition;
  std::string until;  // Empty: for ever.
};

void PrintTo(const Case& claim, std::ostream* out) { *out << claim.condition; }

class UnchangedTest : public testing::TestWithParam<Case> {};

TEST_P(UnchangedTest, UntilTheNextBoundary) {
  const auto until = UnchangedUntil(*MustParse(GetParam().condition), At(kNow));
  ASSERT_TRUE(until) << until.error().message;
  if (GetParam().until.empty()) {
    EXPECT_EQ(*until, std::nullopt);
  } else {
    EXPECT_EQ(*until, At(GetParam().until));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Times, UnchangedTest,
    testing::Values(
        Case{"context.now < datetime(\"2027-01-01\")", "2027-01-01"},
        Case{"context.now <= datetime(\"2027-01-01\")", "2027-01-01T00:00:00.001Z"},
        Case{"context.now > datetime(\"2020-01-01\")", ""},
        Case{"context.now == datetime(\"2026-03-11\")", "2026-03-11"},
        Case{"context.now.toTime() < duration(\"18h\")", "2026-03-10T18:00:00Z"},
        Case{"context.now.toTime() > duration(\"8h\")", "2026-03-11"},
        Case{"context.now.toDate() == datetime(\"2026-03-10\")", "2026-03-11"},
        Case{"context.now.offset(duration(\"1d\")) < datetime(\"2026-03-12\")", "2026-03-11"},
        Case{"context.now.durationSince(datetime(\"2026-03-01\")).toDays() < 10", "2026-03-11"},
        Case{"context.now.durationSince(datetime(\"2026-03-01\")).toHours() * 2 - 1 < 500",
             "2026-03-11T11:00:00Z"},
        Case{"context.now < datetime(\"2026-03-11\") && context.now > datetime(\"2026-03-10\")",
             "2026-03-11"},
        Case{"context.now < datetime(\"2026-03-10\") || context.now > datetime(\"2026-04-01\")",
             "2026-04-01T00:00:00.001Z"},
        Case{"if context.now < datetime(\"2026-03-10\") then resource.port == 1 else "
             "context.now < datetime(\"2026-03-20\")",
             "2026-03-20"},
        Case{"resource.port == 1 && !(context.now < datetime(\"2026-05-01\"))", "2026-05-01"}));

TEST(UnchangedTest, RefusesWhatNeverRests) {
  for (const char* condition :
       {"context.now == resource.started", "context.now.toTime() == resource.port",
        "context.now.durationSince(datetime(\"2026-03-01\")).toMilliseconds() == resource.port",
        "context == {now: context.now}"}) {
    const auto until = UnchangedUntil(*MustParse(condition), At(kNow));
    ASSERT_FALSE(until) << condition;
    EXPECT_EQ(until.error().code, "LOW-NOW");
  }
}

// One millisecond before a boundary is no change with every millisecond.
TEST(UnchangedTest, IsRightJustBeforeABoundary) {
  const auto expr = MustParse("context.now < datetime(\"2026-03-11\")");
  EXPECT_EQ(*UnchangedUntil(*expr, At("2026-03-11") - 1), At("2026-03-11"));
  EXPECT_EQ(*UnchangedUntil(*expr, At("2026-03-11")), std::nullopt);
}

TEST(TimeTest, TablesSayUntilWhenTheyHold) {
  const CompileFixture fixture(
      {{Layer::kCaller,
        "permit (principal, action == Palyra::Action::\"net.connect\", resource) "
        "when { context.now < datetime(\"2027-01-01\") };"}},
      CompileFixture::kEntities, R"({"now": {"__extn": {"fn": "datetime", "arg": "2026-03-10"}}})");
  const auto output = fixture.Compile();
  ASSERT_TRUE(output);
  EXPECT_EQ(output->rules.valid_until_ms, At("2027-01-01"));
  EXPECT_EQ(OutcomeOf(output->rules, Event("192.0.2.1", 1)).verdict, Verdict::kAllow);
}

}  // namespace
}  // namespace palyra::policy
