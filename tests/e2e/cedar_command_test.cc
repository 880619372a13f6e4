// `palyra cedar` as people and scripts call it.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace palyra::tests {
namespace {

class CedarCommand : public testing::Test {
 protected:
  // Runs `palyra cedar ARGUMENTS…` in a directory with a few files.
  Ended Run(std::vector<std::string> arguments, const std::string& input = "") const {
    arguments.insert(arguments.begin(), {BinaryPath("palyra"), "cedar"});
    SpawnOptions options;
    options.input = input;
    options.directory = files_.path();
    return RunProgram(arguments, options);
  }

  TempDir files_;
  std::string policies_ = files_.Write("p.cedar", R"(@id("friends")
permit (principal in Group::"g", action == Action::"go", resource) when { context.n < 5 };
@id("never") forbid (principal, action, resource == User::"x");
@id("guests") permit (principal == ?principal, action, resource);
)");
  std::string schema_ = files_.Write("s.cedarschema", R"(entity Group; entity User in Group;
action go appliesTo { principal: User, resource: User, context: { n: Long } };
)");
  std::string entities_ = files_.Write("e.json", R"([{"uid": {"type": "User", "id": "a"},
  "attrs": {}, "parents": [{"type": "Group", "id": "g"}]}])");
  std::string bad_ = files_.Write("bad.cedar", "permit (principal, action, resource) when {1};");
  std::string ugly_ = files_.Write("ugly.cedar", "permit(principal,action,resource);");
  std::string small_ = files_.Write("small.json", R"({"n": 1})");
  std::string large_ = files_.Write("large.json", R"({"n": 9})");
  std::string request_ = files_.Write("r.json", R"({"principal": "User::\"a\"",
  "action": "Action::\"go\"", "resource": "User::\"x\"", "context": {"n": 1}})");
};

TEST_F(CedarCommand, SaysByItsStatusHowItWent) {
  struct Row {
    std::string claim;
    std::vector<std::string> arguments;
    int status;
    std::string output;
  };
  const std::vector<std::string> ask = {"authorize",       "-p", "p.cedar",      "--entities",
                                        "e.json",          "-l", R"(User::"a")", "-a",
                                        R"(Action::"go")", "-r", R"(User::"b")"};
  const auto with = [&](std::vector<std::string> more) {
    std::vector<std::string> all = ask;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  const Row rows[] = {
      {"allow is 0", with({"-c", "small.json"}), 0, "ALLOW\n"},
      {"deny is 2", with({"-c", "large.json"}), 2, "DENY\n"},
      {"reasons are named by @id", with({"-c", "small.json", "-v"}), 0, "  friends\n"},
      {"a policy that fails is told", with({}), 2, "error while evaluating policy `friends`"},
      {"a request in one file",
       {"authorize", "-p", "p.cedar", "--entities", "e.json", "--request-json", "r.json", "-v"},
       2,
       "  never\n"},
      {"a schema fits", with({"-c", "small.json", "-s", "s.cedarschema"}), 0, "ALLOW\n"},
      {"a request that the schema does not have is 1", with({"-s", "s.cedarschema"}), 1, ""},
      {"which can be let through", with({"-s", "s.cedarschema", "--request-validation", "false"}),
       2, "DENY\n"},
      {"a file that is missing is 1", with({"-c", "none.json"}), 1, ""},
      {"an expression has a value",
       {"evaluate", "--request-json", "r.json", "context.n + 1"},
       0,
       "2\n"},
      {"an expression that fails is 1",
       {"evaluate", "--request-json", "r.json", "context.m"},
       1,
       ""},
      {"policies that fit are 0",
       {"validate", "-s", "s.cedarschema", "-p", "p.cedar"},
       0,
       "passed"},
      {"policies that do not fit are 3",
       {"validate", "-s", "s.cedarschema", "-p", "bad.cedar"},
       3,
       "failed"},
      {"what parses is 0", {"check-parse", "-p", "p.cedar"}, 0, ""},
      {"what does not is 1", {"check-parse", "-p", "s.cedarschema"}, 1, ""},
      {"a schema that parses", {"check-parse", "-s", "s.cedarschema"}, 0, ""},
      {"an expression that does not", {"check-parse", "--expression", "1 +"}, 1, ""},
      {"text to be formatted fails the check",
       {"format", "-p", "ugly.cedar", "--check"},
       1,
       "permit (principal, action, resource);\n"},
      {"an unknown verb is misuse", {"frobnicate"}, 2, ""},
      {"an unknown way to say what is wrong is misuse",
       {"check-parse", "-p", "p.cedar", "-f", "verse"},
       2,
       ""},
  };
  for (const Row& row : rows) {
    const Ended ended = Run(row.arguments);
    EXPECT_EQ(ended.status, row.status) << row.claim << Describe(ended);
    EXPECT_TRUE(ended.output.contains(row.output)) << row.claim << Describe(ended);
    if (row.status == 1 && row.output.empty()) {
      EXPECT_FALSE(ended.error_output.empty()) << row.claim;
    }
  }
}

TEST_F(CedarCommand, AnswersAPartOfARequest) {
  const std::vector<std::string> about = {"partially-authorize", "-p",     "p.cedar",
                                          "--entities",          "e.json", "-a",
                                          R"(Action::"go")",     "-c",     "small.json"};
  const auto with = [&](std::vector<std::string> more) {
    std::vector<std::string> all = about;
    all.insert(all.end(), more.begin(), more.end());
    return Run(all);
  };
  const Ended allowed = with({"-l", R"(User::"a")", "-r", R"(User::"b")"});
  EXPECT_EQ(allowed.status, 0) << Describe(allowed);
  EXPECT_TRUE(allowed.output.contains("ALLOW\n")) << Describe(allowed);
  const Ended denied = with({"-r", R"(User::"x")"});
  EXPECT_EQ(denied.status, 2) << "whoever it is" << Describe(denied);
  const Ended no_context =
      Run({"partially-authorize", "-p", "p.cedar", "--entities", "e.json", "-a", R"(Action::"go")",
           "-l", R"(User::"a")", "-r", R"(User::"b")"});
  EXPECT_EQ(no_context.status, 0) << Describe(no_context);
  EXPECT_TRUE(no_context.output.contains("// friends, which may fail\npermit"))
      << "a context that is not given is to come" << Describe(no_context);
  const Ended unknown = with({"-l", R"(User::"a")"});
  EXPECT_EQ(unknown.status, 0) << Describe(unknown);
  EXPECT_TRUE(unknown.output.contains("UNKNOWN\n")) << Describe(unknown);
  EXPECT_TRUE(unknown.output.contains("// never\nforbid (principal, action, resource)\n"))
      << Describe(unknown);
}

TEST_F(CedarCommand, SaysWhatIsWrongInJsonWhereAskedTo) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"check-parse", "--expression", "1 +", "--error-format", "json"},
        std::vector<std::string>{"-f", "json", "check-parse", "--expression", "1 +"}}) {
    const Ended ended = Run(arguments);
    EXPECT_EQ(ended.status, 1) << Describe(ended);
    EXPECT_TRUE(ended.error_output.starts_with(R"({"message":"expression:1:4: error: expected)"))
        << Describe(ended);
    EXPECT_TRUE(ended.error_output.ends_with("\",\"severity\":\"error\"}\n")) << Describe(ended);
  }
}

TEST_F(CedarCommand, TranslationsLeadBack) {
  const Ended json = Run({"translate-policy", "--direction", "cedar-to-json", "-p", "p.cedar"});
  ASSERT_EQ(json.status, 0) << Describe(json);
  const Ended back = Run({"translate-policy", "--direction", "json-to-cedar"}, json.output);
  ASSERT_EQ(back.status, 0) << Describe(back);
  EXPECT_TRUE(back.output.contains("context.n < 5")) << back.output;
  EXPECT_TRUE(back.output.contains("principal == ?principal")) << back.output;

  const Ended schema = Run({"translate-schema", "--direction", "cedar-to-json"}, ReadText(schema_));
  ASSERT_EQ(schema.status, 0) << Describe(schema);
  const Ended text = Run({"translate-schema", "--direction", "json-to-cedar"}, schema.output);
  ASSERT_EQ(text.status, 0) << Describe(text);
  const Ended again = Run({"translate-schema", "--direction", "cedar-to-json"}, text.output);
  EXPECT_EQ(again.output, schema.output);
}

TEST_F(CedarCommand, ASchemaIsTranslatedWithResolvedTypes) {
  const std::vector<std::string> translate = {"translate-schema", "--direction",
                                              "cedar-to-json-with-resolved-types"};
  const Ended resolved = Run(translate, "namespace N { type T = E; entity E { x: T, y: Long }; }");
  ASSERT_EQ(resolved.status, 0) << Describe(resolved);
  EXPECT_EQ(
      resolved.output,
      R"({"N":{"commonTypes":{"T":{"type":"Entity","name":"N::E"}},"entityTypes":{"E":)"
      R"({"shape":{"type":"Record","attributes":{"x":{"type":"N::T"},"y":{"type":"Long"}}}}},)"
      "\"actions\":{}}}\n");
  const Ended undeclared = Run(translate, "entity E { x: T };");
  EXPECT_EQ(undeclared.status, 1);
  EXPECT_EQ(undeclared.output, "");
  EXPECT_TRUE(undeclared.error_output.contains("`T` is not declared")) << Describe(undeclared);
  EXPECT_EQ(Run({"translate-schema", "--direction", "cedar-to-json"}, "entity E { x: T };").status,
            0);
  EXPECT_NE(Run({"translate-policy", "--direction", "cedar-to-json-with-resolved-types"}).status, 0)
      << "policies have no types";
}

TEST_F(CedarCommand, FormatWritesOnlyWhatItWasAskedTo) {
  const Ended broken = Run({"format", "-p", "s.cedarschema", "--write"});
  EXPECT_EQ(broken.status, 1);
  EXPECT_TRUE(ReadText(schema_).starts_with("entity Group"));
  EXPECT_EQ(Run({"format", "-p", "ugly.cedar", "--write"}).status, 0);
  EXPECT_EQ(ReadText(ugly_), "permit (principal, action, resource);\n");
  EXPECT_EQ(Run({"format", "-p", "ugly.cedar", "--check"}).status, 0);
}

TEST_F(CedarCommand, ALinkDecides) {
  const std::vector<std::string> ask = {"authorize",    "-p", "p.cedar",         "--entities",
                                        "e.json",       "-k", "links.json",      "-l",
                                        R"(User::"z")", "-a", R"(Action::"go")", "-r",
                                        R"(User::"b")", "-c", "small.json"};
  EXPECT_EQ(Run(ask).status, 2);
  const std::vector<std::string> link = {"link",
                                         "-p",
                                         "p.cedar",
                                         "-k",
                                         "links.json",
                                         "--template-id",
                                         "guests",
                                         "-n",
                                         "z",
                                         "-a",
                                         R"({"?principal": "User::\"z\""})"};
  EXPECT_EQ(Run(link).status, 0);
  EXPECT_EQ(Run(ask).status, 0);

  const std::string before = ReadText(files_.Path("links.json"));
  EXPECT_EQ(Run(link).status, 1) << "the id is taken";
  EXPECT_EQ(ReadText(files_.Path("links.json")), before);
}

TEST_F(CedarCommand, EvalAnswersEveryLine) {
  const std::string good =
      R"({"policies":"permit (principal, action, resource);","principal":"A::\"a\"",)"
      R"("action":"Action::\"b\"","resource":"C::\"c\""})";
  const Ended ended = Run({"eval", "--jsonl"}, good + "\n{\n\n" + good);
  EXPECT_EQ(ended.status, 0) << Describe(ended);
  const std::string answer = R"({"decision":"allow","reasons":["policy0"],"errors":[]})";
  EXPECT_TRUE(ended.output.starts_with(answer + "\n{\"error\":")) << ended.output;
  EXPECT_TRUE(ended.output.ends_with("\n" + answer + "\n")) << ended.output;
}

}  // namespace
}  // namespace palyra::tests
