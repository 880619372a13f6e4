#include "policy/extension.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "tests/unit/policy/parse_helpers.h"

namespace palyra::policy {
namespace {

constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

TEST(Decimal, ReadsWhatCedarReadsAndPrintsItBack) {
  const struct {
    const char* text;
    int64_t ten_thousandths;
    const char* printed;
  } cases[] = {
      {"0.0", 0, "0.0"},
      {"-0.0", 0, "0.0"},
      {"1.5", 15'000, "1.5"},
      {"-0.5", -5000, "-0.5"},
      {"-0.1234", -1234, "-0.1234"},
      {"-1.0001", -10'001, "-1.0001"},
      {"007.10", 71'000, "7.1"},
      {"0.0010", 10, "0.001"},
      {"922337203685477.5807", kMax, "922337203685477.5807"},
      {"-922337203685477.5808", kMin, "-922337203685477.5808"},
  };
  for (const auto& c : cases) {
    const auto decimal = Decimal::Parse(c.text);
    ASSERT_TRUE(decimal) << c.text;
    EXPECT_EQ(decimal->ten_thousandths(), c.ten_thousandths) << c.text;
    EXPECT_EQ(decimal->ToString(), c.printed) << c.text;
    EXPECT_EQ(Decimal::Parse(decimal->ToString()), decimal) << c.text;
  }
}

TEST(Decimal, RefusesWhatCedarRefuses) {
  for (const char* text : {"",
                           "1",
                           "1.",
                           ".5",
                           "-.5",
                           "-",
                           "+1.0",
                           "1.00000",
                           "1.2.3",
                           "1.-2",
                           "--1.0",
                           "1 .0",
                           " 1.0",
                           "1.0 ",
                           "1,0",
                           "0x1.0",
                           "1e3.0",
                           "922337203685477.5808",
                           "-922337203685477.5809",
                           "9999999999999999999.0",
                           "\u0661.0"}) {
    EXPECT_FALSE(Decimal::Parse(text)) << text;
  }
}

TEST(Duration, ReadsWhatCedarReadsAndPrintsItBack) {
  const struct {
    const char* text;
    int64_t milliseconds;
    const char* printed;
  } cases[] = {
      {"0ms", 0, "0ms"},
      {"-0d", 0, "0ms"},
      {"1ms", 1, "1ms"},
      {"1d2h3m4s5ms", 93'784'005, "1d2h3m4s5ms"},
      {"-1d2h3m4s5ms", -93'784'005, "-1d2h3m4s5ms"},
      {"90m", 5'400'000, "1h30m"},
      {"1d5ms", 86'400'005, "1d5ms"},
      {"001s", 1000, "1s"},
      {"9223372036854775807ms", kMax, "106751991167d7h12m55s807ms"},
      {"-9223372036854775808ms", kMin, "-106751991167d7h12m55s808ms"},
  };
  for (const auto& c : cases) {
    const auto duration = Duration::Parse(c.text);
    ASSERT_TRUE(duration) << c.text;
    EXPECT_EQ(duration->ToMilliseconds(), c.milliseconds) << c.text;
    EXPECT_EQ(duration->ToString(), c.printed) << c.text;
    EXPECT_EQ(Duration::Parse(duration->ToString()), duration) << c.text;
  }
}

TEST(Duration, RefusesWhatCedarRefuses) {
  for (const char* text : {"",
                           "-",
                           "1",
                           "d",
                           "ms",
                           "1d1d",
                           "1h1d",
                           "1ms1s",
                           "1D",
                           "1d ",
                           " 1d",
                           "1d 2h",
                           "1.5h",
                           "+1d",
                           "--1d",
                           "1d-2h",
                           "1x",
                           "1msx",
                           "9223372036854775808ms",
                           "-9223372036854775809ms",
                           "106751991168d",
                           "18446744073709551616ms",
                           "1sm",
                           "\u0661d"}) {
    EXPECT_FALSE(Duration::Parse(text)) << text;
  }
}

TEST(Datetime, ReadsWhatCedarReadsAndPrintsItBack) {
  const struct {
    const char* text;
    int64_t milliseconds;
    const char* printed;
  } cases[] = {
      {"1970-01-01", 0, "1970-01-01T00:00:00.000Z"},
      {"1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00.000Z"},
      {"1970-01-01T00:00:00.001Z", 1, "1970-01-01T00:00:00.001Z"},
      {"1970-01-01T00:00:00+0100", -3'600'000, "1969-12-31T23:00:00.000Z"},
      {"1970-01-01T00:00:00-0100", 3'600'000, "1970-01-01T01:00:00.000Z"},
      {"2024-10-15T11:38:02.101+1134", 1'728'950'642'101, "2024-10-15T00:04:02.101Z"},
      {"2024-02-29", 1'709'164'800'000, "2024-02-29T00:00:00.000Z"},
      {"0000-01-01", -62'167'219'200'000, "0000-01-01T00:00:00.000Z"},
      {"9999-12-31T23:59:59.999Z", 253'402'300'799'999, "9999-12-31T23:59:59.999Z"},
  };
  for (const auto& c : cases) {
    const auto datetime = Datetime::Parse(c.text);
    ASSERT_TRUE(datetime) << c.text;
    EXPECT_EQ(datetime->milliseconds(), c.milliseconds) << c.text;
    EXPECT_EQ(datetime->ToString(), c.printed) << c.text;
    EXPECT_EQ(Datetime::Parse(*datetime->ToString()), datetime) << c.text;
  }
}

TEST(Datetime, RefusesWhatCedarRefuses) {
  for (const char* text : {"",
                           "2024",
                           "2024-1-1",
                           "24-01-01",
                           "10000-01-01",
                           "+2024-01-01",
                           "-2024-01-01",
                           "2024-00-01",
                           "2024-13-01",
                           "2024-01-00",
                           "2024-01-32",
                           "2024-02-30",
                           "2025-02-29",
                           "2024-01-01Z",
                           "2024-01-01T",
                           "2024-01-01T00:00Z",
                           "2024-01-01T00:00:00",
                           "2024-01-01t00:00:00Z",
                           "2024-01-01T00:00:00z",
                           "2024-01-01T24:00:00Z",
                           "2024-01-01T00:60:00Z",
                           "2016-12-31T23:59:60Z",
                           "2024-01-01T00:00:00.1Z",
                           "2024-01-01T00:00:00.1234Z",
                           "2024-01-01T00:00:00.Z",
                           "2024-01-01T00:00:00+24:00",
                           "2024-01-01T00:00:00+2400",
                           "2024-01-01T00:00:00+0060",
                           "2024-01-01T00:00:00+00",
                           "2024-01-01T00:00:00ZZ",
                           "2024-01-01 ",
                           " 2024-01-01",
                           "2024-01-01 00:00:00Z"}) {
    EXPECT_FALSE(Datetime::Parse(text)) << text;
  }
}

// The value of `text` as Cedar text, or "error: …".
std::string Eval(const std::string& text) {
  const Request request{EntityUid("U", "a"), EntityUid("Action", "a"), EntityUid("R", "r"),
                        Value::Record({})};
  const EvalResult result = Evaluator(request, EntityStore()).Evaluate(*MustParse(text));
  return result ? ToCedar(*result) : "error: " + result.error().message;
}

TEST(ExtensionCalls, GiveWhatCedarGives) {
  const struct {
    const char* text;
    const char* value;
  } cases[] = {
      {R"(decimal("1.20") == decimal("1.2"))", "true"},
      {R"(decimal("1.2").lessThan(decimal("1.3")))", "true"},
      {R"(decimal("1.2").lessThan(decimal("1.2")))", "false"},
      {R"(decimal("-0.1").lessThanOrEqual(decimal("-0.1")))", "true"},
      {R"(decimal("-0.1").greaterThan(decimal("-0.2")))", "true"},
      {R"(decimal("0.1").greaterThanOrEqual(decimal("0.2")))", "false"},
      {R"(decimal("0.1") < decimal("0.2"))",
       "error: type error: expected long, datetime or duration, found decimal"},
      {R"(decimal("0.1") == "0.1")", "false"},
      {R"(datetime("2024-01-01") < datetime("2024-01-01T00:00:00.001Z"))", "true"},
      {R"(datetime("2024-01-01") >= datetime("2024-01-01T01:00:00+0100"))", "true"},
      {R"(datetime("2024-01-01") <= duration("1d"))",
       "error: type error: expected datetime, found duration"},
      {R"(duration("1d") > duration("23h"))", "true"},
      {R"(1 < duration("1d"))", "error: type error: expected long, found duration"},
      {R"(duration("60m") == duration("1h"))", "true"},
      {R"(datetime("2024-02-28").offset(duration("1d")))",
       R"(datetime("2024-02-29T00:00:00.000Z"))"},
      {R"(datetime("9999-12-31").offset(duration("2d")))",
       R"(datetime("1970-01-01").offset(duration("2932898d")))"},
      {R"(datetime("2024-01-02").durationSince(datetime("2024-01-03")))", R"(duration("-1d"))"},
      {R"(datetime("1969-12-31T23:59:59.999Z").toDate())",
       R"(datetime("1969-12-31T00:00:00.000Z"))"},
      {R"(datetime("1969-12-31T23:59:59.999Z").toTime())", R"(duration("23h59m59s999ms"))"},
      {R"(datetime("1960-01-01").toTime())", R"(duration("0ms"))"},
      {R"(duration("-1d1ms").toMilliseconds())", "-86400001"},
      {R"(duration("-1s999ms").toSeconds())", "-1"},
      {R"(duration("119s").toMinutes())", "1"},
      {R"(duration("-119m").toHours())", "-1"},
      {R"(duration("47h").toDays())", "1"},
      {R"([decimal("1.0"), decimal("1.00"), duration("1d"), duration("24h")])",
       R"([decimal("1.0"), duration("1d")])"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Eval(c.text), c.value) << c.text;
  }
}

TEST(ExtensionCalls, FailWhereCedarFails) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {R"(decimal("1"))", "not a decimal number with one to four digits behind the point: \"1\""},
      {R"(datetime("x"))", "not a date, or a date and time such as 2024-10-15T11:38:02Z: \"x\""},
      {R"(duration("x"))", "not a duration such as 1d2h3m4s5ms: \"x\""},
      {R"(duration(1))", "type error: expected string, found long"},
      {R"(duration())", "wrong number of arguments for \"duration\": expected 1, found 0"},
      {R"(decimal("1.0", "2.0"))",
       "wrong number of arguments for \"decimal\": expected 1, found 2"},
      {R"(duration("1d").toDays(1))",
       "wrong number of arguments for \"toDays\": expected 1, found 2"},
      {R"("1d".toDays())", "type error: expected duration, found string"},
      {R"(datetime("2024-01-01").offset(1))", "type error: expected duration, found long"},
      {R"(datetime("2024-01-01").offset(duration("9223372036854775807ms")))",
       "overflow in \"offset\" of datetime(\"2024-01-01T00:00:00.000Z\")"},
      {R"(datetime("0000-01-01").durationSince(
            datetime("1970-01-01").offset(duration("9223372036854775807ms"))))",
       "overflow in \"durationSince\" of datetime(\"0000-01-01T00:00:00.000Z\")"},
      {R"(datetime("1970-01-01").offset(duration("-9223372036854775808ms")).toDate())",
       "overflow in \"toDate\" of datetime(\"1970-01-01\").offset("
       "duration(\"-106751991167d7h12m55s808ms\"))"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Eval(c.text), std::string("error: ") + c.message) << c.text;
  }
}

TEST(ExtensionCalls, EveryFunctionIsFoundByItsName) {
  for (int i = 0; i <= static_cast<int>(Function::kToDays); ++i) {
    const auto function = static_cast<Function>(i);
    EXPECT_EQ(FindFunction(NameOf(function)), function);
  }
  EXPECT_EQ(FindFunction("isipv4"), std::nullopt);
}

}  // namespace
}  // namespace palyra::policy
