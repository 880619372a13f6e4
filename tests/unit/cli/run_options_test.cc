#include "cli/run_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace palyra::cli {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Arguments = std::vector<std::string>;

RunOptions Parse(const Arguments& arguments) {
  Result<std::variant<RunOptions, HelpText>> parsed = ParseRunOptions(arguments);
  EXPECT_TRUE(parsed) << parsed.error().message;
  if (!parsed || !std::holds_alternative<RunOptions>(*parsed)) return {};
  return std::get<RunOptions>(*parsed);
}

// The message; empty where the arguments are accepted.
std::string ErrorOf(const Arguments& arguments) {
  const Result<std::variant<RunOptions, HelpText>> parsed = ParseRunOptions(arguments);
  if (parsed) return "";
  EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
  return parsed.error().message;
}

TEST(RunOptions, AreDefaultsWhereNothingIsSaid) {
  const RunOptions options = Parse({"--", "true"});
  EXPECT_THAT(options.command, ElementsAre("true"));
  EXPECT_THAT(options.policies, IsEmpty());
  EXPECT_THAT(options.net_rules, IsEmpty());
  EXPECT_THAT(options.environment, IsEmpty());
  EXPECT_EQ(options.agent, "unknown");
  EXPECT_EQ(options.tool, std::nullopt);
  EXPECT_FALSE(options.entities);
  EXPECT_FALSE(options.timeout);
  EXPECT_EQ(options.egress, policy::EgressEnforcementMode::kStrict);
  EXPECT_FALSE(options.has_egress);
  EXPECT_FALSE(options.audit);
  EXPECT_FALSE(options.user);
  EXPECT_FALSE(options.print_policy);
  EXPECT_FALSE(options.report);
  EXPECT_FALSE(options.dry_run);
  EXPECT_FALSE(options.defaults);
  EXPECT_FALSE(options.workspace);
  EXPECT_FALSE(options.chdir);
  EXPECT_THAT(options.path_rules, IsEmpty());
}

TEST(RunOptions, HoldWhatEachOptionSays) {
  const RunOptions options =
      Parse({"--schema",   "s",         "--policy",  "a.cedar",  "--policy=b",
             "--entities", "e.json",    "--agent",   "agent-1",  "--tool",
             "git",        "--env",     "A",         "--env",    "B=c=d",
             "--user",     "1000:1000", "--timeout", "1.5m",     "--egress",
             "preflight",  "--audit",   "log",       "--report", "--print-policy",
             "--",         "git",       "status"});
  EXPECT_THAT(options.policies, ElementsAre("a.cedar", "b"));
  EXPECT_EQ(options.entities, "e.json");
  EXPECT_EQ(options.schema, "s");
  EXPECT_EQ(options.agent, "agent-1");
  EXPECT_EQ(options.tool, "git");
  EXPECT_THAT(options.environment, ElementsAre("A", "B=c=d"));
  EXPECT_EQ(options.user, "1000:1000");
  EXPECT_EQ(options.timeout, milliseconds(90'000));
  EXPECT_EQ(options.audit, "log");
  EXPECT_EQ(options.egress, policy::EgressEnforcementMode::kPreflight);
  EXPECT_TRUE(options.has_egress);
  EXPECT_TRUE(options.report);
  EXPECT_TRUE(options.print_policy);
  EXPECT_THAT(options.command, ElementsAre("git", "status"));
}

TEST(RunOptions, KeepTheOrderOfNetworkRules) {
  const RunOptions options = Parse({"--allow-net", "10.0.0.0/8", "--deny-net=10.0.0.1",
                                    "--allow-net", "[::1]:80", "--", "true"});
  ASSERT_EQ(options.net_rules.size(), 3U);
  EXPECT_EQ(options.net_rules[0].kind, policy::NetShorthand::kAllow);
  EXPECT_EQ(options.net_rules[0].argument, "10.0.0.0/8");
  EXPECT_EQ(options.net_rules[1].kind, policy::NetShorthand::kDeny);
  EXPECT_EQ(options.net_rules[1].argument, "10.0.0.1");
  EXPECT_EQ(options.net_rules[2].argument, "[::1]:80");
}

TEST(RunOptions, KeepTheOrderOfRulesOnPaths) {
  const RunOptions options = Parse({"--allow-read", "a", "--deny-write=b/*", "--allow-exec", "/c",
                                    "--allow-write", "a", "--deny-read", "d", "--", "true"});
  using enum policy::PathShorthand;
  const std::vector<std::pair<policy::PathShorthand, std::string>> expected = {{kAllowRead, "a"},
                                                                               {kDenyWrite, "b/*"},
                                                                               {kAllowExec, "/c"},
                                                                               {kAllowWrite, "a"},
                                                                               {kDenyRead, "d"}};
  ASSERT_EQ(options.path_rules.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(options.path_rules[i].kind, expected[i].first);
    EXPECT_EQ(options.path_rules[i].argument, expected[i].second);
  }
}

TEST(RunOptions, AReportHasAFileOnlyAfterAnEqualsSign) {
  EXPECT_FALSE(Parse({"--", "true"}).report);
  const RunOptions plain = Parse({"--report", "--", "true"});
  EXPECT_TRUE(plain.report);
  EXPECT_EQ(plain.report_file, std::nullopt);
  const RunOptions file = Parse({"--report=a.json", "--receipt", "b.json", "--", "true"});
  EXPECT_TRUE(file.report);
  EXPECT_EQ(file.report_file, "a.json");
  EXPECT_EQ(file.receipt, "b.json");
  EXPECT_THAT(ErrorOf({"--report", "a.json"}), HasSubstr("a.json"));
  EXPECT_THAT(ErrorOf({"--receipt", "a", "--report"}), HasSubstr("--receipt: nothing runs"));
  EXPECT_THAT(ErrorOf({"--receipt", "a", "--dry-run", "--", "true"}), HasSubstr("nothing runs"));
}

TEST(RunOptions, HoldWhereTheToolWorks) {
  const RunOptions options =
      Parse({"--workspace", "w", "--chdir=w/sub", "--defaults", "--dry-run", "--", "true"});
  EXPECT_EQ(options.workspace, "w");
  EXPECT_EQ(options.chdir, "w/sub");
  EXPECT_TRUE(options.defaults);
  EXPECT_TRUE(options.dry_run);
  EXPECT_TRUE(Parse({"--dry-run"}).command.empty());
}

TEST(RunOptions, LeaveEverythingAfterTheDashesToTheCommand) {
  EXPECT_THAT(Parse({"--", "sh", "-c", "x", "--", "--policy", "--help", ""}).command,
              ElementsAre("sh", "-c", "x", "--", "--policy", "--help", ""));
  EXPECT_THAT(Parse({"--", "--help"}).command, ElementsAre("--help"));
  EXPECT_EQ(Parse({"--tool", "x", "--", "--tool", "y"}).tool, "x");
}

TEST(RunOptions, NeedACommandUnlessTheyOnlyPrint) {
  EXPECT_THAT(ErrorOf({}), HasSubstr("no command"));
  EXPECT_THAT(ErrorOf({"--"}), HasSubstr("-- COMMAND"));
  EXPECT_THAT(ErrorOf({"--tool", "x"}), HasSubstr("no command"));
  EXPECT_TRUE(Parse({"--print-policy"}).print_policy);
  EXPECT_TRUE(Parse({"--report"}).report);
}

struct ErrorCase {
  Arguments arguments;
  std::string named;  // Is in the message.
};

TEST(RunOptions, NameTheOptionThatIsWrong) {
  const ErrorCase cases[] = {
      {{"--frobnicate", "--", "true"}, "--frobnicate"},
      {{"--allow-nett", "x", "--", "true"}, "--allow-nett"},
      {{"--policy", "--", "true"}, "--policy"},
      {{"--entities", "--", "true"}, "--entities"},
      {{"--allow-net", "--", "true"}, "--allow-net"},
      {{"--deny-net", "--", "true"}, "--deny-net"},
      {{"--allow-read", "--", "true"}, "--allow-read"},
      {{"--deny-write", "--", "true"}, "--deny-write"},
      {{"--workspace", "--", "true"}, "--workspace"},
      {{"--chdir", "--", "true"}, "--chdir"},
      {{"--dry-run=maybe", "--", "true"}, "--dry-run"},
      {{"--env", "--", "true"}, "--env"},
      {{"--user", "--", "true"}, "--user"},
      {{"--egress", "--", "true"}, "--egress"},
      {{"--egress", "open", "--", "true"}, "none, preflight or strict"},
      {{"--unheld", "file-names,all", "--", "true"}, "\"all\" is none of file-attributes"},
      {{"--on-stale", "never", "--", "true"}, "neither end nor mark"},
      {{"--audit", "--", "true"}, "--audit"},
      {{"--timeout", "--", "true"}, "--timeout"},
      {{"--timeout", "soon", "--", "true"}, "--timeout"},
      {{"--timeout", "soon", "--", "true"}, "\"soon\""},
      {{"--timeout", "", "--", "true"}, "--timeout"},
      {{"--timeout=", "--", "true"}, "--timeout"},
      {{"--timeout", "0", "--", "true"}, "--timeout"},
  };
  for (const ErrorCase& each : cases) {
    EXPECT_THAT(ErrorOf(each.arguments), HasSubstr(each.named)) << "\"" << each.arguments[0] << '"';
  }
}

// Taking `ls` for an option's value or for the command would be guessing.
TEST(RunOptions, RefuseACommandWithoutTheDashes) {
  EXPECT_THAT(ErrorOf({"ls"}), HasSubstr("the command comes after \"--\""));
  EXPECT_THAT(ErrorOf({"--report", "ls", "-l"}), HasSubstr("ls"));
  EXPECT_THAT(ErrorOf({"ls", "--", "true"}), HasSubstr("ls"));
  // The options that may be repeated take one value each, not all that follows.
  EXPECT_THAT(ErrorOf({"--policy", "a", "b", "--", "true"}), HasSubstr("b"));
  EXPECT_THAT(ErrorOf({"--env", "A", "B", "--", "true"}), HasSubstr("B"));
  EXPECT_THAT(ErrorOf({"--allow-net", "A", "B", "--", "true"}), HasSubstr("B"));
}

TEST(RunOptions, GiveHelpAndVersion) {
  for (const Arguments& arguments :
       {Arguments{"--help"}, Arguments{"-h"}, Arguments{"--help", "--", "true"}}) {
    const auto parsed = ParseRunOptions(arguments);
    ASSERT_TRUE(parsed);
    ASSERT_TRUE(std::holds_alternative<HelpText>(*parsed));
    const std::string& text = std::get<HelpText>(*parsed).text;
    for (const std::string option :
         {"--policy", "--entities", "--schema", "--agent", "--tool", "--allow-net", "--deny-net",
          "--env", "--user", "--timeout", "--audit", "--print-policy", "--report", "--version"}) {
      EXPECT_THAT(text, HasSubstr(option));
    }
  }
  const auto version = ParseRunOptions({"--version"});
  ASSERT_TRUE(version);
  EXPECT_THAT(std::get<HelpText>(*version).text, testing::MatchesRegex("palyra [0-9.]+\n"));
}

TEST(RunOptions, AllowsAreAuditedOnlyWithAFile) {
  EXPECT_EQ(Parse({"--audit", "f", "--", "true"}).audit_allows, 0U);
  EXPECT_EQ(Parse({"--audit", "f", "--audit-allows", "all", "--", "true"}).audit_allows, 1U);
  EXPECT_EQ(Parse({"--audit", "f", "--audit-allows", "1/100", "--", "true"}).audit_allows, 100U);
  EXPECT_EQ(Parse({"--audit-allows", "none", "--", "true"}).audit_allows, 0U);
  EXPECT_THAT(ErrorOf({"--audit-allows", "all", "--", "true"}), HasSubstr("--audit FILE"));
}

TEST(RunOptions, PromisesThatMayGoUnheldAreNamed) {
  const RunOptions options =
      Parse({"--unheld", "file-patterns,file-names", "--unheld", "processes", "--", "true"});
  EXPECT_TRUE(options.unheld.files.patterns);
  EXPECT_TRUE(options.unheld.files.names);
  EXPECT_TRUE(options.unheld.processes);
  EXPECT_FALSE(options.unheld.files.attributes);
  EXPECT_EQ(options.unheld.names.size(), 3U);
  EXPECT_TRUE(Parse({"--on-stale", "mark", "--", "true"}).marks_stale);
  EXPECT_FALSE(Parse({"--on-stale", "end", "--", "true"}).marks_stale);
  EXPECT_FALSE(Parse({"--", "true"}).marks_stale);
}

TEST(ParseSampling, RefusesEverythingElse) {
  for (const char* text : {"", "some", "1/", "1/0", "1/x", "1/9x", "2/3", "1/1000001", "1/-1", "0",
                           "All", "1/99999999999999999999"}) {
    EXPECT_FALSE(ParseSampling(text)) << text;
  }
  EXPECT_EQ(ParseSampling("1/1").value(), 1U);
  EXPECT_EQ(ParseSampling("1/1000000").value(), 1'000'000U);
}

}  // namespace
}  // namespace palyra::cli
