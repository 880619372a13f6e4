// What a person is told about the difference between two policies.

#include "policy/compile/rule_diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "policy/compile/explain.h"
#include "policy/compile/places.h"
#include "tests/unit/policy/compile_fixture.h"
#include "tests/unit/policy/parse_helpers.h"

namespace palyra::policy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string Permit(const std::string& action, const std::string& rest) {
  return "permit (principal, action == Palyra::Action::\"" + action + "\", resource" + rest + ";";
}

// A line each: "deny>allow net.connect tcp 443: 10.0.0.0/8 …".
std::vector<std::string> Changes(const std::string& before, const std::string& after) {
  const auto compile = [](const std::string& policies) {
    return CompileFixture(policies, Coverage::kAll).Compile().value().rules;
  };
  std::vector<std::string> lines;
  for (const RuleChange& change : DiffRules(compile(before), compile(after))) {
    std::string line = std::string(VerdictName(change.before)) + '>' +
                       std::string(VerdictName(change.after)) + ' ' + change.events + ':';
    for (const std::string& place : change.places) line += ' ' + place;
    line += change.exceptions ? " not all" : "";
    lines.push_back(line + (change.more ? " …" : ""));
  }
  return lines;
}

TEST(RuleDiffTest, NamesRangesAndPorts) {
  const auto connect = [](const std::string& condition) {
    return Permit("net.connect", ") when { resource.protocol == \"tcp\" && " + condition + " }");
  };
  EXPECT_THAT(Changes(connect("resource.port == 443"), connect("resource.port >= 443")),
              ElementsAre("deny>allow net.connect tcp 444-65535: 0.0.0.0/0 ::/0"));
  EXPECT_THAT(Changes("", connect("resource.address.isInRange(ip(\"10.0.0.0/8\"))")),
              ElementsAre("deny>allow net.connect tcp any port: 10.0.0.0/8"));
  EXPECT_THAT(Changes(connect("resource.address.isIpv6()"), ""),
              ElementsAre("allow>deny net.connect tcp any port: ::/0"));
  EXPECT_THAT(
      Changes(connect("resource.port == 1"), "@ask(\"?\") " + connect("resource.port == 1")),
      ElementsAre("allow>ask net.connect tcp 1: 0.0.0.0/0 ::/0"));
  EXPECT_THAT(Changes(connect("resource.address == ip(\"255.255.255.255\")"),
                      connect("resource.address == ip(\"255.255.255.254\")")),
              ElementsAre("deny>allow net.connect tcp any port: 255.255.255.254",
                          "allow>deny net.connect tcp any port: 255.255.255.255"));
}

TEST(RuleDiffTest, ReasonsAloneAreNoChange) {
  const std::string one = Permit("file.read", ")");
  EXPECT_THAT(Changes(one, one + one), IsEmpty());
}

TEST(RuleDiffTest, NamesPathsAndPatterns) {
  EXPECT_THAT(Changes("", Permit("file.read", ") when { resource.path == \"/etc/hosts\" }")),
              ElementsAre("deny>allow file.read: /etc/hosts"));
  EXPECT_THAT(Changes("", Permit("file.read", " in Palyra::Directory::\"/w\")")),
              ElementsAre("deny>allow file.read: /w /w/*"));
  EXPECT_THAT(Changes(Permit("file.read", ") when { resource.path like \"/a*\" }"),
                      Permit("file.read", ") when { resource.path like \"/ab*\" }")),
              ElementsAre("allow>deny file.read: /a* not all"));
  EXPECT_THAT(Changes("", Permit("process.signal", ") when { resource.same_run }")),
              ElementsAre("deny>allow process.signal same-run:"));
  EXPECT_THAT(Changes("", Permit("unix.connect", ") when { resource.abstract }")),
              ElementsAre("deny>allow unix.connect abstract: *"));
}

TEST(ExplainTest, NamesPoliciesThatFailAndThatAsk) {
  const CompileFixture fixture(
      "@ask(\"sure?\") " + Permit("net.connect", ") when { resource.port == 443 }") +
      Permit("net.connect", ") when { resource.port * 9223372036854775807 > 0 }"));
  const auto output = fixture.Compile();
  ASSERT_TRUE(output);
  const Explanation asked = Explain(fixture.input(), output->rules, Event("192.0.2.1", 443));
  EXPECT_EQ(asked.verdict, Verdict::kAsk);
  EXPECT_THAT(ToText(asked), HasSubstr("asks a person: sure?"));
  EXPECT_THAT(ToText(asked), HasSubstr("fails: "));
  EXPECT_THAT(ToText(asked), HasSubstr("ask, reason"));
}

TEST(PlacesTest, StandAtTheBeginningOfDirectories) {
  const PolicySet policies = MustParsePolicies(
      Permit("file.read", " in Palyra::Directory::\"${workspace}/src\")") +
      Permit("file.read", ") when { resource in [Palyra::Directory::\"${tmp}\"] }") +
      Permit("file.read", ") when { resource == Palyra::Path::\"${home}/x\" }"));
  const auto expanded =
      ExpandPlaces(policies, {.workspace = "/w", .home = "/home/u", .tmp = "/tmp"});
  ASSERT_TRUE(expanded);
  CompileInput input{.principal = EntityUid("Palyra::Agent", "bot"),
                     .context = Value::Record({}),
                     .layers = {},
                     .coverage = Coverage::kAll};
  const EntityStore entities;
  input.layers = {{Layer::kCaller, &*expanded, &entities}};
  const auto output = CompileRules(input);
  ASSERT_TRUE(output);
  for (const char* path : {"/w/src/a", "/tmp/b", "/home/u/x"}) {
    EXPECT_EQ(Decide(output->rules, {.action = NameAction::kFileRead, .name = path}).verdict,
              Verdict::kAllow)
        << path;
  }
  EXPECT_EQ(Decide(output->rules, {.action = NameAction::kFileRead, .name = "/w"}).verdict,
            Verdict::kDeny);
}

TEST(PlacesTest, UnknownOnesAreRefused) {
  for (const char* id : {"${elsewhere}", "${workspace", "${workspace}x", "${home}"}) {
    const auto expanded =
        ExpandPlaces(MustParsePolicies(Permit(
                         "file.read", " in Palyra::Directory::\"" + std::string(id) + "\")")),
                     {.workspace = "/w", .home = "", .tmp = "/tmp"});
    ASSERT_FALSE(expanded) << id;
    EXPECT_EQ(expanded.error()[0].code, "LOW-PLACE");
  }
}

}  // namespace
}  // namespace palyra::policy
