// What tool.execute is asked of a command line, and what is said where the answer is no.

#include "cli/execution_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "policy/printer.h"
#include "policy/schema/data.h"
#include "policy/schema/palyra_schema.h"
#include "tests/unit/cli/load_layers.h"

namespace palyra::cli {
namespace {

using policy::Layer;
using testing::ElementsAre;
using testing::HasSubstr;

RunOptions Started() {
  RunOptions options;
  options.agent = "bot";
  options.command = {"/usr/bin/git", "status", "status"};
  options.egress = policy::EgressEnforcementMode::kPreflight;
  options.timeout = std::chrono::milliseconds(1500);
  EXPECT_TRUE(engine::AddUnheld("file-names,processes,file-names", options.unheld));
  return options;
}

const ToolTraits kTraits = {.sensitivity = "high", .capabilities = {"network", "secrets"}};

policy::ExecutionRequest RequestOf(const RunOptions& options) {
  engine::ToolUser user;
  user.uid = 1000;
  user.name = "ann";
  return ExecutionRequestOf({.agent = options.agent, .tool = "git", .workspace = "/w"},
                            StartFactsOf(options, user, "/usr/bin/git"));
}

// Of one layer, validated as those of a run are.
std::optional<ExecutionRefusal> Refusal(Layer layer, const std::string& text,
                                        const RunOptions& options = Started()) {
  const LayerSources sources = {
      .layer = layer, .policies = {std::make_shared<const policy::SourceFile>("o.cedar", text)}};
  Result<LayerPolicies> parsed = ParseLayer(sources, kSomePlaces);
  EXPECT_TRUE(parsed) << parsed.error().message;
  EXPECT_TRUE(AddTool({&*parsed, 1}, "git", kTraits));
  return RefusalOfExecution({&*parsed, 1}, RequestOf(options));
}

std::string On(const std::string& effect, const std::string& condition = "true") {
  return effect + " (principal, action == Palyra::Action::\"tool.execute\", resource) when { " +
         condition + " };\n";
}

TEST(ExecutionCheck, TellsHowTheRunIsStarted) {
  const policy::ExecutionRequest request = RequestOf(Started());
  EXPECT_EQ(policy::ToCedar(request.principal), R"(Palyra::Agent::"bot")");
  EXPECT_EQ(policy::ToCedar(request.tool), R"(Palyra::Tool::"git")");
  const std::string context = policy::ToCedar(request.context);
  for (const char* part :
       {R"("preflight")", R"("ann")", R"(["/usr/bin/git", "status"])",
        R"(["file-names", "processes"])", "timeout_ms: 1500}", R"("cell")", R"("/w")"}) {
    EXPECT_THAT(context, HasSubstr(part));
  }
}

TEST(ExecutionCheck, TheContextIsThatOfTheSchema) {
  const policy::Schema schema = *policy::PalyraSchema({});
  const policy::ActionInfo* action = schema.FindAction(policy::ExecuteAction());
  ASSERT_NE(action, nullptr);
  RunOptions plain;
  plain.command = {"true"};
  for (const RunOptions& options : {plain, Started()}) {
    EXPECT_EQ(policy::Mismatch(RequestOf(options).context, *action->context, schema), std::nullopt);
  }
}

TEST(ExecutionCheck, RootIsRootUnderAnyName) {
  const auto user_of = [](uid_t uid, const std::string& name) {
    engine::ToolUser user;
    user.uid = uid;
    user.name = name;
    return *StartFactsOf({}, user, std::nullopt).user;
  };
  EXPECT_EQ(user_of(0, "toor"), "root");
  EXPECT_EQ(user_of(1000, "ann"), "ann");
  EXPECT_EQ(user_of(4242, ""), "4242");
}

TEST(ExecutionCheck, WhatIsNotThereIsNotNamed) {
  RunOptions plain;
  plain.command = {"true"};
  const std::string policies =
      On("permit") + On("forbid", "context has unheld") + On("forbid", "context has limits");
  EXPECT_FALSE(Refusal(Layer::kOperator, policies, plain));
  EXPECT_TRUE(Refusal(Layer::kOperator, policies));
}

TEST(ExecutionCheck, EachPartOfTheContextCanBeForbidden) {
  for (const char* condition :
       {R"(context has egress && context.egress != "none")",
        R"(context has user && context.user == "ann")",
        R"(context has unheld && context.unheld.contains("processes"))",
        R"(context has argv && context.argv.contains("status"))",
        "context has limits && context.limits has timeout_ms && context.limits.timeout_ms > 1000",
        R"(context has executable && context.executable like "/usr/*")",
        R"(resource.sensitivity == "high")", R"(context.tool.sensitivity == "high")",
        R"(resource.capabilities.contains("secrets"))", R"(context.tier == "cell")",
        R"(context.workspace == "/w")"}) {
    const std::string forbid = "@id(\"mine\")\n" + On("forbid", condition);
    const auto refusal = Refusal(Layer::kOperator, forbid + On("permit"));
    ASSERT_TRUE(refusal) << condition;
    EXPECT_THAT(refusal->policies, ElementsAre(R"(policy0 ("mine", o.cedar:1))"));
    EXPECT_FALSE(
        Refusal(Layer::kOperator, On("forbid", std::string("!(") + condition + ")") + On("permit")))
        << condition;
  }
}

// Every limit that an option sets is a fact of its own name.
TEST(ExecutionCheck, EveryLimitIsInTheSchema) {
  const policy::Schema schema = *policy::PalyraSchema({});
  const policy::Type& context = *schema.FindAction(policy::ExecuteAction())->context;
  StartFacts start;
  int64_t value = 1;
  for (const auto& [name, member] : kLimitFacts) start.limits.*member = value++;
  const policy::ExecutionRequest request = ExecutionRequestOf({}, start);
  EXPECT_EQ(policy::Mismatch(request.context, context, schema), std::nullopt);
  value = 1;
  for (const auto& [name, member] : kLimitFacts) {
    const policy::Value* limits = request.context.AsRecord()->Find("limits");
    EXPECT_EQ(*limits->AsRecord()->Find(name)->AsLong(), value++) << name;
  }
}

TEST(ExecutionCheck, SaysWhoRefusesAndWhatToWrite) {
  const auto forbidden =
      Refusal(Layer::kOperator, On("forbid", "context has unheld") + On("permit"));
  ASSERT_TRUE(forbidden);
  EXPECT_THAT(forbidden->text, HasSubstr("forbidden by policy0 (o.cedar:1) of the operator"));
  EXPECT_THAT(forbidden->text, HasSubstr(R"(["file-names", "processes"])"));

  const auto unspoken = Refusal(Layer::kCaller, On("permit", "context.tier == \"sealed\""));
  ASSERT_TRUE(unspoken);
  EXPECT_THAT(unspoken->policies, ElementsAre());
  EXPECT_THAT(unspoken->text, HasSubstr("no policy of the caller permits it"));
  const std::string& text = unspoken->text;
  const std::string pasted = text.substr(text.find("\npermit (") + 1);
  EXPECT_FALSE(Refusal(Layer::kCaller, pasted)) << pasted;

  const auto asked = Refusal(Layer::kOperator, "@ask(\"who is it?\")\n" + On("permit"));
  ASSERT_TRUE(asked);
  EXPECT_THAT(asked->text, HasSubstr("(\"who is it?\"); without a daemon nobody can be asked"));
  EXPECT_THAT(asked->policies, ElementsAre("policy0 (o.cedar:1)"));
}

}  // namespace
}  // namespace palyra::cli
