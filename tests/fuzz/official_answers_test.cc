#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/corpus/archive.h"
#include "tests/fuzz/comparison.h"

namespace palyra::tests {
namespace {

void TakeLines(std::string_view text, Comparison& comparison) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) comparison.Take(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::string Summary(const Comparison& comparison) {
  std::string text;
  for (size_t i = 0; i < comparison.differences().size() && i < 10; ++i) {
    text += comparison.differences()[i] + '\n';
  }
  return text;
}

// Answers of Cedar 4.12.0 to generated cases; how they were made is in tests/fuzz/cedar/README.md.
TEST(OfficialAnswers, OursAreTheSameForEveryGeneratedCase) {
  const Result<std::string> text = ReadCompressed(PALYRA_OFFICIAL_ANSWERS "/answers.jsonl.xz");
  ASSERT_TRUE(text) << text.error().message;
  Comparison comparison;
  TakeLines(*text, comparison);
  EXPECT_TRUE(comparison.differences().empty()) << Summary(comparison);
  EXPECT_GE(comparison.requests(), 95'000U);
  EXPECT_GE(comparison.compared(), 140'000U);
}

// Cases in files to read: those that once differed, and names that are hard to resolve.
TEST(OfficialAnswers, OursAreTheSameForEveryCaseByHand) {
  for (const std::string_view file : {"regressions.jsonl", "resolved_types.jsonl"}) {
    const Result<std::string> text =
        ReadCompressed(fmt::format("{}/{}", PALYRA_OFFICIAL_ANSWERS, file));
    ASSERT_TRUE(text) << text.error().message;
    Comparison comparison;
    TakeLines(*text, comparison);
    EXPECT_TRUE(comparison.differences().empty()) << file << '\n' << Summary(comparison);
    EXPECT_GE(comparison.compared(), comparison.cases());
    EXPECT_GT(comparison.cases(), 0U);
  }
}

// A comparison that cannot tell a difference proves nothing.
TEST(Comparison, SeesEveryKindOfDifference) {
  struct Row {
    std::string_view claim;
    std::string line;
    std::string_view said;
  };
  const std::string world =
      R"j("policies": "permit (principal, action, resource);",
          "schema": "entity U; action go appliesTo { principal: U, resource: U };",
          "entities": [], "requests": [[["U", "a"], ["Action", "go"], ["U", "b"], {}]], )j";
  const auto with = [&](std::string_view expect) {
    return fmt::format("{{{} \"expect\": {{{}}}}}", world, expect);
  };
  const Row rows[] = {
      {"policies taken", with(R"("policies": false)"), "refused officially, accepted by us"},
      {"a schema taken", with(R"("schema": false)"), "refused officially, accepted by us"},
      {"entities taken", with(R"("entities": false)"), "refused officially, accepted by us"},
      {"a policy's JSON", with(R"("est": {"policy0": {}})"), "policy0 in JSON at"},
      {"a schema's JSON", with(R"("translation": {})"), "schema in JSON (translation) at"},
      {"its resolved types", with(R"("resolved": {})"), "schema in JSON (resolved) at"},
      {"that its types resolve", with(R"("resolved": false)"),
       "resolved types: refused officially"},
      {"a policy that is valid", with(R"("invalid": ["policy0"])"), "by us []"},
      {"a decision", with(R"("answers": [["deny", ["policy0"], []]])"), "by us allow"},
      {"a reason", with(R"("answers": [["allow", ["policy1"], []]])"), "by us allow by [policy0]"},
      {"an error", with(R"("answers": [["allow", ["policy0"], ["policy1"]]])"), "errors of []"},
      {"a request taken", with(R"("answers": [null])"), "officially refused"},
      {"policies refused", R"({"policies": "permit", "expect": {"policies": true}})",
       "accepted officially, refused by us"},
      {"a policy in JSON refused", R"({"policyJson": {}, "expect": {"policyJson": {}}})",
       "accepted officially, refused by us"},
      {"a line that is no case", "{", "not a case"},
  };
  for (const Row& row : rows) {
    Comparison comparison;
    comparison.Take(row.line);
    ASSERT_EQ(comparison.differences().size(), 1U) << row.claim;
    EXPECT_TRUE(comparison.differences().front().contains(row.said))
        << row.claim << ": " << comparison.differences().front();
  }
}

TEST(Comparison, IsContentWhereAnswersAreTheSame) {
  Comparison comparison;
  comparison.Take(R"j({"policies": "permit (principal, action, resource);", "entities": [],
                       "lawless": true, "requests": [[["U", "a"], ["A", "b"], ["U", "c"], {}]],
                       "expect": {"policies": true, "entities": true,
                                  "answers": [["allow", ["policy0"], []]]}})j");
  EXPECT_TRUE(comparison.differences().empty()) << Summary(comparison);
  EXPECT_EQ(comparison.compared(), 3U);
  EXPECT_EQ(comparison.requests(), 1U);
}

}  // namespace
}  // namespace palyra::tests
