// Policies on files, programs, processes and sockets: what their tables decide.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "policy/compile/compiler.h"
#include "tests/unit/policy/compile_fixture.h"

namespace palyra::policy {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::SizeIs;

NameEvent File(std::string path, NameAction action = NameAction::kFileRead) {
  return {.action = action, .name = std::move(path)};
}

RuleSet RulesOf(const CompileFixture& fixture) {
  auto output = fixture.Compile();
  EXPECT_TRUE(output) << (output ? "" : Render(output.error()));
  return output ? output->rules : RuleSet();
}

constexpr const char* kRead =
    "permit (principal, action == Palyra::Action::\"file.read\", resource";

struct Case {
  std::string condition;
  std::vector<std::string> allowed;
  std::vector<std::string> denied;
};

void PrintTo(const Case& claim, std::ostream* out) { *out << claim.condition; }

class PathConditionTest : public testing::TestWithParam<Case> {};

TEST_P(PathConditionTest, PermitsExactlyItsPaths) {
  const Case& claim = GetParam();
  const CompileFixture fixture(kRead + claim.condition + ";", Coverage::kAll);
  const RuleSet rules = RulesOf(fixture);
  for (const std::string& path : claim.allowed) {
    EXPECT_EQ(OutcomeOf(rules, File(path)).verdict, Verdict::kAllow) << path;
    EXPECT_EQ(EvaluateWithContext(fixture.input(), File(path)).verdict, Verdict::kAllow) << path;
  }
  for (const std::string& path : claim.denied) {
    EXPECT_EQ(OutcomeOf(rules, File(path)).verdict, Verdict::kDeny) << path;
    EXPECT_EQ(EvaluateWithContext(fixture.input(), File(path)).verdict, Verdict::kDeny) << path;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Paths, PathConditionTest,
    testing::Values(
        Case{") when { resource.path == \"/etc/hosts\" }",
             {"/etc/hosts"},
             {"/etc/host", "/etc/hosts2", "/etc/hosts/x", "/"}},
        Case{
            ") when { resource.path like \"/foo*\" }", {"/foo", "/foobar", "/foo/x"}, {"/fo", "/"}},
        Case{") when { resource.path like \"/home/*/.ssh/*\" }",
             {"/home/a/.ssh/id", "/home/a/b/.ssh/"},
             {"/home/a/.ssh", "/home/.ssh/id", "/etc"}},
        Case{" in Palyra::Directory::\"/proj\")",
             {"/proj", "/proj/a", "/proj/a/b"},
             {"/", "/project", "/pro"}},
        Case{" in Palyra::Directory::\"/\")", {"/", "/a", "/a/b"}, {}},
        Case{") when { resource == Palyra::Path::\"/etc/passwd\" }", {"/etc/passwd"}, {"/etc"}},
        Case{") when { [\"/a\", \"/b\"].contains(resource.path) }", {"/a", "/b"}, {"/c", "/"}},
        Case{
            ") unless { resource.path like \"*secret*\" }", {"/a", "/"}, {"/secret", "/a/secrets"}},
        Case{") when { resource.path like \"/a*\" && !(resource.path like \"*z\") }",
             {"/a", "/ab"},
             {"/az", "/b"}},
        Case{") when { if resource.path like \"/a*\" then resource.path like \"*b\" "
             "else resource.path like \"*c\" }",
             {"/ab", "/c"},
             {"/ac", "/b"}},
        Case{") when { resource.path like \"/é*\" }", {"/é", "/éa"}, {"/e", "/\xC3\xA8"}},
        Case{") when { resource.path like \"/a\\*b\" }", {"/a*b"}, {"/axb", "/ab"}},
        Case{") when { resource in principal.places }", {"/srv/x", "/data"}, {"/etc", "/srvx"}},
        Case{" in Palyra::Directory::\"shared\")",
             {"/opt/share", "/opt/share/a", "/usr/one.txt"},
             {"/opt", "/usr/one.txt2"}}));

TEST(NameRulesTest, GroupsOfActionsHoldTheirMembers) {
  const RuleSet rules = RulesOf(CompileFixture(
      R"(permit (principal, action in Palyra::Action::"file.modify", resource in Palyra::Directory::"/w");)",
      Coverage::kAll));
  for (const NameAction action :
       {NameAction::kFileWrite, NameAction::kFileCreate, NameAction::kFileRemove,
        NameAction::kFileRename, NameAction::kFileLink, NameAction::kFileAttributes}) {
    EXPECT_EQ(Decide(rules, File("/w/a", action)).verdict, Verdict::kAllow);
  }
  EXPECT_EQ(Decide(rules, File("/w/a")).verdict, Verdict::kDeny);
  EXPECT_EQ(Decide(rules, {.action = NameAction::kProcessExec, .name = "/w/a"}).verdict,
            Verdict::kDeny);
}

TEST(NameRulesTest, ProgramsAreToldApartByDigest) {
  const std::string good(64, 'a');
  const CompileFixture fixture(
      "permit (principal, action == Palyra::Action::\"process.exec\", resource) "
      "when { resource.path like \"/usr/*\" && resource has sha256 && resource.sha256 == \"" +
          good + "\" };",
      Coverage::kAll);
  const RuleSet rules = RulesOf(fixture);
  const NameEvent plain{.action = NameAction::kProcessExec, .name = "/usr/bin/git"};
  NameEvent known = plain;
  known.sha256 = good;
  NameEvent other = plain;
  other.sha256 = std::string(64, 'b');
  NameEvent elsewhere = known;
  elsewhere.name = "/tmp/git";
  EXPECT_EQ(Decide(rules, plain).verdict, Verdict::kDeny);
  EXPECT_EQ(Decide(rules, known).verdict, Verdict::kAllow);
  EXPECT_EQ(Decide(rules, other).verdict, Verdict::kDeny);
  EXPECT_EQ(Decide(rules, elsewhere).verdict, Verdict::kDeny);
}

TEST(NameRulesTest, SocketsAndProcessesAreToldApartByTheirFlag) {
  const RuleSet rules = RulesOf(CompileFixture(R"(
    permit (principal, action == Palyra::Action::"unix.connect", resource)
      when { resource.abstract && resource.path like "agent*" };
    permit (principal, action == Palyra::Action::"process.signal", resource)
      when { resource.same_run };)",
                                               Coverage::kAll));
  const auto socket = [](bool abstract) {
    return NameEvent{.action = NameAction::kUnixConnect, .name = "agent.1", .flag = abstract};
  };
  const auto signal = [](bool same_run) {
    return NameEvent{.action = NameAction::kProcessSignal, .name = "", .flag = same_run};
  };
  EXPECT_EQ(Decide(rules, socket(true)).verdict, Verdict::kAllow);
  EXPECT_EQ(Decide(rules, socket(false)).verdict, Verdict::kDeny);
  EXPECT_EQ(Decide(rules, signal(true)).verdict, Verdict::kAllow);
  EXPECT_EQ(Decide(rules, signal(false)).verdict, Verdict::kDeny);
}

TEST(NameRulesTest, NamesOutsideOfWhatCanOccurAreDenied) {
  const RuleSet rules =
      RulesOf(CompileFixture("permit (principal, action, resource);", Coverage::kAll));
  EXPECT_EQ(Decide(rules, File("/x")).verdict, Verdict::kAllow);
  EXPECT_EQ(Decide(rules, File("relative")).verdict, Verdict::kDeny);
}

TEST(NameRulesTest, EqualDecisionsShareStates) {
  std::string policies;
  for (int i = 0; i < 50; ++i) {
    policies += std::string(kRead) + ") when { resource.path == \"/f" + std::to_string(i) + "\" };";
  }
  const RuleSet many = RulesOf(CompileFixture(policies, Coverage::kAll));
  const RuleSet one = RulesOf(CompileFixture(
      std::string(kRead) + ") when { resource.path like \"/f*\" };", Coverage::kAll));
  EXPECT_EQ(FindRules(one, NameAction::kFileRead)->automaton.state_count(), 4U);
  EXPECT_GT(FindRules(many, NameAction::kFileRead)->automaton.state_count(), 50U);
}

struct Refusal {
  std::string condition;
  std::string code;
  std::string said;
};

void PrintTo(const Refusal& refusal, std::ostream* out) { *out << refusal.condition; }

class NameRefusalTest : public testing::TestWithParam<Refusal> {};

TEST_P(NameRefusalTest, SaysWhy) {
  const Refusal& expected = GetParam();
  const auto output = CompileFixture(
                          "permit (principal, action in [Palyra::Action::\"file.read\", "
                          "Palyra::Action::\"process.exec\"], resource) when { " +
                              expected.condition + " };",
                          Coverage::kAll)
                          .Compile();
  ASSERT_FALSE(output);
  EXPECT_THAT(output.error(), Contains(Field(&Diagnostic::code, expected.code)));
  EXPECT_THAT(Render(output.error()), HasSubstr(expected.said));
}

INSTANTIATE_TEST_SUITE_P(
    Names, NameRefusalTest,
    testing::Values(
        Refusal{"resource is Palyra::Executable && resource has sha256 && "
                "resource.path == resource.sha256",
                "LOW-REL", "digest"},
        Refusal{"resource is Palyra::Executable && resource has sha256 && "
                "resource.sha256 like \"ab*\"",
                "LOW-DIGEST", "compare digests"},
        Refusal{"ip(resource.path).isIpv4()", "LOW-MAKE", "only the kernel knows"},
        Refusal{"principal in resource", "LOW-UID", "what lies in a resource"},
        Refusal{"resource.hasTag(\"x\")", "LOW-TAG", "tag"},
        Refusal{"resource.size == 1", "LOW-ATTR", "no attribute \"size\""},
        Refusal{"Palyra::Path::\"/x\".path == \"/x\" && Palyra::Executable::\"/x\".path == \"/x\"",
                "LOW-UID", "may be the event's resource"}));

TEST(NameRefusalTest, ForbidThatFailsIsRefusedWithAName) {
  const auto output =
      CompileFixture(
          "forbid (principal, action == Palyra::Action::\"process.exec\", resource) "
          "when { resource.sha256 == \"x\" };",
          Coverage::kAll)
          .Compile();
  ASSERT_FALSE(output);
  ASSERT_THAT(output.error(), SizeIs(1));
  EXPECT_EQ(output.error()[0].code, "LOW-ERROR");
  EXPECT_THAT(output.error()[0].message, HasSubstr("process.exec /"));
}

std::vector<std::string> WarningsOf(const std::string& policies) {
  const auto output = CompileFixture(policies, Coverage::kAll).Compile();
  EXPECT_TRUE(output) << (output ? "" : Render(output.error()));
  std::vector<std::string> codes;
  for (const Diagnostic& warning : output ? output->warnings : std::vector<Diagnostic>()) {
    codes.push_back(warning.code);
  }
  return codes;
}

TEST(NameWarningTest, NamesThatNeverOccurAreWarnedOf) {
  const std::string read = kRead;
  EXPECT_THAT(WarningsOf(read + ") when { resource.path == \"etc\" };"), ElementsAre("LOW-CASE"));
  EXPECT_THAT(WarningsOf(read + ") when { resource.path == \"/a/\" };"), ElementsAre("LOW-CASE"));
  EXPECT_THAT(WarningsOf(read + ") when { resource.path like \"a*\" };"), ElementsAre("LOW-CASE"));
  EXPECT_THAT(WarningsOf(read + " in Palyra::Directory::\"/a/../b\");"), ElementsAre("LOW-CASE"));
  EXPECT_THAT(WarningsOf(read + ") when { resource.path == \"/a\" && resource.path == \"/b\" };"),
              ElementsAre("LOW-NEVER"));
}

TEST(NameWarningTest, PermitsThatAreWhollyForbiddenAreWarnedOf) {
  const std::string forbid =
      "forbid (principal, action == Palyra::Action::\"file.read\", resource in "
      "Palyra::Directory::\"/etc\");";
  EXPECT_THAT(WarningsOf(forbid + kRead + ") when { resource.path == \"/etc/passwd\" };"),
              ElementsAre("LOW-SHADOW"));
  EXPECT_THAT(WarningsOf(forbid + kRead + ") when { resource.path like \"/e*\" };"), ElementsAre());
}

}  // namespace
}  // namespace palyra::policy
