#include "cli/cedar/jsonl.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace palyra::cli {
namespace {

// A line about U::"a" going to U::"b", with more members in front.
std::string Line(std::string_view members) {
  return "{" + std::string(members) +
         R"(, "principal": "U::\"a\"", "action": "Action::\"go\"", "resource": "U::\"b\""})";
}

constexpr std::string_view kPermit = R"("policies": "permit (principal, action, resource);")";
constexpr std::string_view kSchema =
    R"("schema": "entity U; action go appliesTo { principal: U, resource: U };")";

TEST(JsonlEvaluator, AnswersEachLineInTheForm) {
  struct Row {
    std::string_view claim;
    std::string line;
    std::string_view answer;
  };
  const std::string permit(kPermit);
  const std::string schema(kSchema);
  const Row rows[] = {
      {"a permit allows", Line(permit),
       R"({"decision":"allow","reasons":["policy0"],"errors":[]})"},
      {"nothing denies", Line(R"("policies": "")"),
       R"({"decision":"deny","reasons":[],"errors":[]})"},
      {"a policy that fails is listed",
       Line(R"("policies": "permit (principal, action, resource) when { context.x };")"),
       R"({"decision":"deny","reasons":[],"errors":["policy0"]})"},
      {"a policy in JSON is policy0",
       Line(R"("policies": {"effect": "permit", "principal": {"op": "All"}, "action": {"op": "All"},
               "resource": {"op": "All"}, "conditions": []})"),
       R"({"decision":"allow","reasons":["policy0"],"errors":[]})"},
      {"a policy set in JSON names its policies",
       Line(R"("policies": {"staticPolicies": {"x": {"effect": "permit", "principal": {"op": "All"},
               "action": {"op": "All"}, "resource": {"op": "All"}, "conditions": []}},
               "templates": {}, "templateLinks": []})"),
       R"({"decision":"allow","reasons":["x"],"errors":[]})"},
      {"the context reaches the policy, all 64 bits of it",
       Line(R"("policies": "permit (principal, action, resource)
                            when { context.n == 9223372036854775807 };",
               "context": {"n": 9223372036854775807})"),
       R"({"decision":"allow","reasons":["policy0"],"errors":[]})"},
      {"validation is there when it is asked for",
       Line(permit + "," + schema + R"(, "validate": true)"),
       R"({"decision":"allow","reasons":["policy0"],"errors":[],)"
       R"("validation":{"valid":true,"errors":[],"warnings":[]}})"},
  };
  for (const Row& row : rows) {
    std::string line = row.line;
    std::erase(line, '\n');
    EXPECT_EQ(JsonlEvaluator().Answer(line), row.answer) << row.claim;
  }
}

TEST(JsonlEvaluator, SaysAtWhichStageALineIsRefused) {
  struct Row {
    std::string_view claim;
    std::string line;
    std::string_view stage;
  };
  const std::string permit(kPermit);
  const std::string schema(kSchema);
  const Row rows[] = {
      {"not JSON", "permit (principal, action, resource);", "request"},
      {"an empty line", "", "request"},
      {"cut off in a string", R"({"policies": "perm)", "request"},
      {"more behind the object", Line(permit) + "x", "request"},
      {"a key twice", Line(permit + "," + permit), "request"},
      {"a key that means nothing", Line(permit + R"(, "polices": "")"), "request"},
      {"no policies", Line(R"("entities": [])"), "policies"},
      {"policies that do not parse", Line(R"("policies": "permit")"), "policies"},
      {"a lone surrogate in a policy", Line(R"("policies": "\ud800")"), "policies"},
      {"policies that are a number", Line(R"("policies": 7)"), "policies"},
      {"a schema that does not parse", Line(permit + R"(, "schema": "entity")"), "schema"},
      {"a schema in JSON that is none", Line(permit + R"(, "schema": [])"), "schema"},
      {"validation without a schema", Line(permit + R"(, "validate": true)"), "schema"},
      {"entities that are none", Line(permit + R"(, "entities": [{}])"), "entities"},
      {"a context with null", Line(permit + R"(, "context": {"a": null})"), "request"},
      {"a context that is no object", Line(permit + R"(, "context": [])"), "request"},
      {"validate is no bool", Line(permit + R"(, "validate": 1)"), "request"},
      {"no principal", "{" + permit + "}", "request"},
      {"a principal that is no entity",
       "{" + permit + R"j(, "principal": "(U::\"a\")", "action": "", "resource": ""})j", "request"},
      {"a request that the schema does not have",
       "{" + permit + "," + schema +
           R"(, "principal": "V::\"a\"", "action": "Action::\"go\"", "resource": "U::\"b\""})",
       "request"},
  };
  for (const Row& row : rows) {
    const std::string answer = JsonlEvaluator().Answer(row.line);
    EXPECT_TRUE(answer.starts_with(R"({"error":")")) << row.claim << ": " << answer;
    EXPECT_TRUE(answer.ends_with(R"("stage":")" + std::string(row.stage) + R"("})"))
        << row.claim << ": " << answer;
  }
}

TEST(JsonlEvaluator, AnswersOnAfterAnyLine) {
  JsonlEvaluator evaluator;
  const std::string first = evaluator.Answer(Line(kPermit));
  EXPECT_TRUE(evaluator.Answer("{").contains("error"));
  EXPECT_EQ(evaluator.Answer(Line(kPermit)), first);
  EXPECT_TRUE(evaluator.Answer(Line(R"("policies": "")")).contains("deny"));
  EXPECT_EQ(evaluator.Answer(Line(kPermit)), first);
}

}  // namespace
}  // namespace palyra::cli
