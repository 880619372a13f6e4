#include "base/quantity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace palyra::base {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

TEST(ParseSize, TakesBytesAndBinaryUnits) {
  EXPECT_EQ(ParseSize("0").value(), 0U);
  EXPECT_EQ(ParseSize("1000").value(), 1000U);
  EXPECT_EQ(ParseSize("64K").value(), 65'536U);
  EXPECT_EQ(ParseSize("64M").value(), 67'108'864U);
  EXPECT_EQ(ParseSize("3G").value(), 3'221'225'472U);
  EXPECT_EQ(ParseSize("1T").value(), uint64_t{1} << 40);
  EXPECT_EQ(ParseSize("1048576T").value(), uint64_t{1} << 60);
}

TEST(ParseSize, RefusesEverythingElse) {
  for (const std::string text :
       {"", "M", "-1", "+1", "1.5G", "64 M", "64MB", "64m", "M64", " 64M", "64M ", "0x10",
        "1048577T", "18446744073709551616", "99999999999999999999K"}) {
    const Result<uint64_t> parsed = ParseSize(text);
    ASSERT_FALSE(parsed) << text << " is taken for " << *parsed;
    EXPECT_THAT(parsed.error().message, HasSubstr('"' + text + '"'));
  }
}

TEST(SizeText, IsExact) {
  EXPECT_EQ(SizeText(0), "0 bytes");
  EXPECT_EQ(SizeText(1000), "1000 bytes");
  EXPECT_EQ(SizeText(65'536), "64 KiB");
  EXPECT_EQ(SizeText(67'108'864), "64 MiB");
  EXPECT_EQ(SizeText(uint64_t{1} << 60), "1048576 TiB");
}

TEST(ParseCount, TakesWholeNumbersUpToTheMost) {
  EXPECT_EQ(ParseCount("1", 10).value(), 1U);
  EXPECT_EQ(ParseCount("10", 10).value(), 10U);
  for (const char* text : {"", "0", "11", "-1", "1.0", "1K", " 1", "one"}) {
    EXPECT_FALSE(ParseCount(text, 10)) << text;
  }
}

struct DurationCase {
  std::string text;
  milliseconds expected;
};

TEST(ParseDuration, TakesSecondsMinutesAndHours) {
  const DurationCase cases[] = {
      {"90", milliseconds(90'000)},
      {"1.5", milliseconds(1500)},
      {"90s", milliseconds(90'000)},
      {"5m", milliseconds(300'000)},
      {"2h", milliseconds(7'200'000)},
      {"0.001", milliseconds(1)},
      {".5s", milliseconds(500)},
      {"0.0006m", milliseconds(36)},
      {"8784h", milliseconds(31'622'400'000)},  // A leap year.
  };
  for (const DurationCase& each : cases) {
    const Result<milliseconds> parsed = ParseDuration(each.text);
    ASSERT_TRUE(parsed) << each.text;
    EXPECT_EQ(*parsed, each.expected) << each.text;
  }
}

TEST(ParseDuration, RefusesEverythingElse) {
  for (const std::string text :
       {"",    "0",   "0s",  "-1",   "-0",     "s",     "5d",   "5 s", " 5",   "5s ", "5ms",
        "1,5", "inf", "nan", "1e99", "0.0001", "8785h", "0x10", "5S",  "five", "+5"}) {
    const Result<milliseconds> parsed = ParseDuration(text);
    ASSERT_FALSE(parsed) << text << " is taken for " << parsed->count() << " ms";
    EXPECT_THAT(parsed.error().message, HasSubstr('"' + text + '"'));
  }
}

}  // namespace
}  // namespace palyra::base
