// Who decides whether a run begins, and how.

#include "policy/execution.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/unit/policy/compile_fixture.h"

namespace palyra::policy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Layers = std::vector<std::pair<Layer, std::string>>;

const char* const kPermit =
    R"(permit (principal, action == Palyra::Action::"tool.execute", resource);)";
const char* const kAsk =
    R"(@ask("look") permit (principal, action == Palyra::Action::"tool.execute", resource);)";
const char* const kForbidUnheld =
    R"(forbid (principal, action == Palyra::Action::"tool.execute", resource)
       when { context has unheld && !context.unheld.isEmpty() };)";
const char* const kNetwork =
    R"(permit (principal, action == Palyra::Action::"net.connect", resource);)";
const char* const kAll = "permit (principal, action, resource);";

ExecutionVerdict Decide(const Layers& layers, const std::vector<Value>& unheld = {}) {
  const CompileFixture fixture(layers);
  std::vector<RecordValue::Field> context = {{"tier", Value::String("guard")}};
  if (!unheld.empty()) context.emplace_back("unheld", Value::Set(unheld));
  const auto verdict =
      DecideExecution(fixture.input().layers, {.principal = EntityUid("Palyra::Agent", "a"),
                                               .tool = EntityUid("Palyra::Tool", "git"),
                                               .context = Value::Record(context)});
  EXPECT_TRUE(verdict.verdict == Verdict::kAllow || MayDenyExecution(fixture.input().layers));
  return verdict;
}

Verdict Of(const Layers& layers) { return Decide(layers).verdict; }

bool MayDeny(const Layers& layers) {
  return MayDenyExecution(CompileFixture(layers).input().layers);
}

TEST(Execution, IsPermittedWhereNobodySpeaksOfIt) {
  for (const char* policies :
       {"", kNetwork, kAll, "@ask(\"x\") permit (principal, action, resource);",
        R"(permit (principal == Palyra::Agent::"b", action, resource);)",
        "forbid (principal, action, resource is Palyra::Endpoint);"}) {
    EXPECT_EQ(Of({{Layer::kOperator, policies}, {Layer::kCaller, policies}}), Verdict::kAllow)
        << policies;
  }
  EXPECT_FALSE(MayDeny({{Layer::kOperator, kNetwork}, {Layer::kCaller, kAll}}));
}

TEST(Execution, WhoeverSpeaksOfItDecidesAndDeniesByDefault) {
  for (const char* head :
       {R"(principal == Palyra::Agent::"b", action == Palyra::Action::"tool.execute", resource)",
        R"(principal, action in [Palyra::Action::"net.send", Palyra::Action::"tool.execute"],
           resource == Palyra::Tool::"npm")",
        "principal == Palyra::Agent::\"b\", action, resource is Palyra::Tool",
        R"(principal, action, resource == Palyra::Tool::"npm")",
        R"(principal, action, resource in Palyra::ToolGroup::"builders")",
        R"(principal, action, resource is Palyra::Tool in Palyra::ToolGroup::"builders")"}) {
    const std::string policy = std::string("permit (") + head + ");";
    const ExecutionVerdict decided = Decide({{Layer::kOperator, policy}, {Layer::kCaller, kAll}});
    EXPECT_EQ(decided.verdict, Verdict::kDeny) << policy;
    EXPECT_EQ(decided.layer, Layer::kOperator);
    EXPECT_THAT(decided.reasons, IsEmpty());
  }
  EXPECT_EQ(Of({{Layer::kOperator, kPermit}}), Verdict::kAllow);
  EXPECT_EQ(Of({{Layer::kOperator, std::string(kForbidUnheld) + kAll}}), Verdict::kAllow);
  EXPECT_EQ(Of({{Layer::kOperator, kForbidUnheld}}), Verdict::kDeny) << "nothing permits it";
}

TEST(Execution, TheStrictestLayerHolds) {
  EXPECT_EQ(Of({{Layer::kOperator, kPermit}, {Layer::kCaller, kAsk}}), Verdict::kAsk);
  EXPECT_EQ(Of({{Layer::kOperator, kAsk}, {Layer::kCaller, kPermit}}), Verdict::kAsk);
  EXPECT_EQ(Of({{Layer::kOperator, kPermit}, {Layer::kCaller, kNetwork}}), Verdict::kAllow);
  EXPECT_EQ(Of({{Layer::kOperator, std::string(kAsk) + kPermit}}), Verdict::kAllow);
  const ExecutionVerdict decided =
      Decide({{Layer::kOperator, kAsk},
              {Layer::kCaller, "forbid (principal, action, resource is Palyra::Tool);"}});
  EXPECT_EQ(decided.verdict, Verdict::kDeny);
  EXPECT_EQ(decided.layer, Layer::kCaller);
  EXPECT_THAT(decided.reasons, ElementsAre(0));
}

TEST(Execution, AForbidAboutEverythingHoldsWithoutNamingIt) {
  EXPECT_EQ(Of({{Layer::kOperator, "forbid (principal, action, resource);"}}), Verdict::kDeny);
  EXPECT_EQ(
      Of({{Layer::kOperator, R"(forbid (principal == Palyra::Agent::"b", action, resource);)"}}),
      Verdict::kAllow);
}

TEST(Execution, SeesHowTheRunIsStarted) {
  const Layers layers = {{Layer::kOperator, std::string(kForbidUnheld) + kPermit},
                         {Layer::kCaller, kAll}};
  EXPECT_EQ(Decide(layers).verdict, Verdict::kAllow);
  const ExecutionVerdict decided = Decide(layers, {Value::String("file-names")});
  EXPECT_EQ(decided.verdict, Verdict::kDeny);
  EXPECT_EQ(decided.layer, Layer::kOperator);
  EXPECT_THAT(decided.reasons, ElementsAre(0));
}

TEST(Execution, AForbidThatFailsDenies) {
  const ExecutionVerdict decided =
      Decide({{Layer::kOperator, R"(forbid (principal, action == Palyra::Action::"tool.execute",
                resource) when { context.nothing == 1 };)" +
                                     std::string(kPermit)}});
  EXPECT_EQ(decided.verdict, Verdict::kDeny);
  EXPECT_THAT(decided.errors, ElementsAre(HasSubstr("nothing")));
}

// The tables leave it to whoever starts the run.
TEST(Execution, PoliciesOnItCompileAndSayNothingOfEvents) {
  for (const Coverage coverage : {Coverage::kNetwork, Coverage::kNetworkAndUnix, Coverage::kAll}) {
    CompileFixture alone({{Layer::kCaller, kNetwork}});
    CompileFixture both(
        {{Layer::kCaller, kNetwork + std::string(kForbidUnheld) + kPermit +
                              "forbid (principal, action == Palyra::Action::\"tool.execute\", "
                              "resource is Palyra::Tool);"}});
    alone.set_coverage(coverage);
    both.set_coverage(coverage);
    const auto expected = alone.Compile();
    const auto compiled = both.Compile();
    ASSERT_TRUE(compiled) << Render(compiled.error());
    EXPECT_THAT(compiled->warnings, IsEmpty()) << Render(compiled->warnings);
    EXPECT_EQ(compiled->rules, expected->rules);
  }
}

}  // namespace
}  // namespace palyra::policy
