// What the compiler refuses, what it warns of, and what it says then.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "policy/compile/compiler.h"
#include "policy/compile/endpoint.h"
#include "policy/outcomes.h"
#include "tests/unit/policy/compile_fixture.h"

namespace palyra::policy {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct Refusal {
  std::string policy;
  std::string code;
  std::string quoted;  // The text under the span.
  std::string said;    // Part of the message.
};

void PrintTo(const Refusal& refusal, std::ostream* out) { *out << refusal.policy; }

class RefusalTest : public testing::TestWithParam<Refusal> {};

TEST_P(RefusalTest, NamesPolicyPlaceAndReason) {
  const Refusal& expected = GetParam();
  const std::string text = "permit (principal, action, resource);\n" + expected.policy;
  const auto output = CompileFixture(text).Compile();
  ASSERT_FALSE(output);
  ASSERT_THAT(output.error(), SizeIs(1));
  const Diagnostic& diagnostic = output.error()[0];
  EXPECT_EQ(diagnostic.code, expected.code);
  EXPECT_EQ(diagnostic.severity, Severity::kError);
  EXPECT_EQ(text.substr(diagnostic.span.offset, diagnostic.span.length), expected.quoted);
  EXPECT_THAT(diagnostic.message, HasSubstr(expected.said));
  EXPECT_THAT(diagnostic.policy_id.value(), HasSubstr("policy1"));
  EXPECT_TRUE(diagnostic.hint.has_value());
}

Refusal When(const std::string& condition, std::string code, std::string quoted, std::string said) {
  return {.policy = "permit (principal, action, resource) when { " + condition + " };",
          .code = std::move(code),
          .quoted = std::move(quoted),
          .said = std::move(said)};
}

INSTANTIATE_TEST_SUITE_P(
    Conditions, RefusalTest,
    testing::Values(
        When("resource.port == (if resource.protocol == \"tcp\" then principal.port else 53)",
             "LOW-REL",
             "resource.port == (if resource.protocol == \"tcp\" then principal.port else 53)",
             "then 8443 else 53"),
        When("[resource.port == 1].contains(resource.address.isIpv4())", "LOW-REL",
             "[resource.port == 1].contains(resource.address.isIpv4())", "address and port"),
        When("resource == Palyra::Endpoint::\"x\"", "LOW-UID",
             "resource == Palyra::Endpoint::\"x\"", "name"),
        When("principal in resource", "LOW-UID", "principal in resource", "name"),
        When("[resource].contains(principal)", "LOW-UID", "resource", "name"),
        When("principal.peer.port == 1", "LOW-UID", "principal.peer.port", "name"),
        When("principal.peer has port", "LOW-UID", "principal.peer has port", "name"),
        When("resource has domain && resource.domain == resource.protocol", "LOW-REL",
             "resource.domain == resource.protocol", "domain"),
        When("resource has domain && ip(resource.domain).isIpv4()", "LOW-MAKE",
             "ip(resource.domain)", "makes a value"),
        When("resource in [Palyra::Domain::\"a.test\", Palyra::Endpoint::\"x\"]", "LOW-UID",
             "resource in [Palyra::Domain::\"a.test\", Palyra::Endpoint::\"x\"]", "name"),
        When("resource.color == 1", "LOW-ATTR", "resource.color", "\"color\""),
        When("resource.hasTag(\"x\")", "LOW-TAG", "resource.hasTag(\"x\")", "tag"),
        When("ip(resource.protocol).isIpv4()", "LOW-IP", "ip(resource.protocol)", "address"),
        When("{\"a\": if resource.port == 1 then principal else principal}.a.port == 22",
             "LOW-DEREF", "{\"a\": if resource.port == 1 then principal else principal}.a.port",
             "entity"),
        When("principal.getTag(if resource.port == 1 then \"home\" else \"work\").isIpv4()",
             "LOW-DEREF", "principal.getTag(if resource.port == 1 then \"home\" else \"work\")",
             "entity")));

INSTANTIATE_TEST_SUITE_P(
    Heads, RefusalTest,
    testing::Values(
        Refusal{"forbid (principal == ?principal, action, resource);", "LOW-TEMPLATE",
                "principal == ?principal", "decides nothing"},
        Refusal{"forbid (principal, action, resource in ?resource);", "LOW-TEMPLATE",
                "resource in ?resource", "decides nothing"},
        Refusal{"permit (principal, action == Palyra::Action::\"file.read\", resource);",
                "LOW-ACTION", "action == Palyra::Action::\"file.read\"",
                "is not enforced by this version"},
        Refusal{"permit (principal, action in Palyra::Action::\"file.any\", resource);",
                "LOW-ACTION", "action in Palyra::Action::\"file.any\"", "is not enforced"},
        Refusal{"permit (principal, action in [Palyra::Action::\"process.exec\", "
                "Palyra::Action::\"vault.get\"], resource);",
                "LOW-ACTION",
                "action in [Palyra::Action::\"process.exec\", Palyra::Action::\"vault.get\"]",
                "process.exec"},
        Refusal{"forbid (principal, action == Palyra::Action::\"net.conect\", resource);",
                "LOW-ACTION", "action == Palyra::Action::\"net.conect\"", "no action"},
        Refusal{"forbid (principal, action in [Palyra::Action::\"net.connect\", "
                "Palyra::Action::\"net.sent\"], resource);",
                "LOW-ACTION",
                "action in [Palyra::Action::\"net.connect\", Palyra::Action::\"net.sent\"]",
                "no action"},
        Refusal{"forbid (principal, action == Action::\"net.connect\", resource);", "LOW-ACTION",
                "action == Action::\"net.connect\"", "no action"},
        Refusal{"forbid (principal, action, resource is Palyra::Path);", "LOW-ACTION",
                "resource is Palyra::Path", "Palyra::Path"},
        Refusal{"forbid (principal, action, resource == Palyra::Secret::\"s\");", "LOW-ACTION",
                "resource == Palyra::Secret::\"s\"", "Palyra::Secret"},
        Refusal{"permit (principal, action, resource == Palyra::Endpoint::\"x\");", "LOW-UID",
                "resource == Palyra::Endpoint::\"x\"", "name"},
        Refusal{"forbid (principal, action in [Palyra::Action::\"net.connect\", "
                "Palyra::Action::\"file.write\"], resource);",
                "LOW-ACTION",
                "action in [Palyra::Action::\"net.connect\", Palyra::Action::\"file.write\"]",
                "file.write"}));

INSTANTIATE_TEST_SUITE_P(
    Verify, RefusalTest,
    testing::Values(
        Refusal{.policy = R"(@verify("sni") permit (principal, action, resource);)",
                .code = "LOW-VERIFY",
                .quoted = R"(@verify("sni"))",
                .said = "only connections"},
        Refusal{
            .policy = R"(@verify("sni") permit (principal, action in)"
                      R"( [Palyra::Action::"net.connect", Palyra::Action::"net.send"], resource);)",
            .code = "LOW-VERIFY",
            .quoted = R"(@verify("sni"))",
            .said = "only connections"},
        Refusal{.policy = R"(@verify("host") permit (principal, action == )"
                          R"(Palyra::Action::"net.connect", resource);)",
                .code = "LOW-VERIFY",
                .quoted = R"(@verify("host"))",
                .said = "nothing is known that verifies \"host\""},
        Refusal{.policy = R"(@verify("sni") forbid (principal, action == )"
                          R"(Palyra::Action::"net.connect", resource);)",
                .code = "LOW-VERIFY",
                .quoted = R"(@verify("sni"))",
                .said = "a forbid holds"},
        Refusal{.policy = R"(@verify("sni") @ask("?") permit (principal, action == )"
                          R"(Palyra::Action::"net.connect", resource);)",
                .code = "LOW-VERIFY",
                .quoted = R"(@verify("sni"))",
                .said = "a person who was asked"}));

TEST(CompilerRefusalTest, UnknownActionsNameTheNearest) {
  const auto output =
      CompileFixture("permit (principal, action == Palyra::Action::\"net.conect\", resource);")
          .Compile();
  ASSERT_FALSE(output);
  EXPECT_THAT(output.error()[0].hint.value(), HasSubstr("Palyra::Action::\"net.connect\""));
}

TEST(CompilerRefusalTest, EveryPolicyThatIsRefusedIsNamed) {
  const auto output = CompileFixture(R"(
    permit (principal, action, resource) when { resource.color == 1 };
    permit (principal, action, resource) when { resource.port == 1 };
    permit (principal, action == Palyra::Action::"file.read", resource);)")
                          .Compile();
  ASSERT_FALSE(output);
  EXPECT_THAT(output.error(), ElementsAre(Field(&Diagnostic::code, "LOW-ATTR"),
                                          Field(&Diagnostic::code, "LOW-ACTION")));
}

// The official engine lets ports from 46117 on through this pair of policies.
constexpr std::string_view kFailingCondition =
    "when { resource.port * 200000000000000 > 1000000000000000 };";

TEST(CompilerRefusalTest, ForbidThatFailsOnSomeEventIsRefusedWithIt) {
  const CompileFixture fixture(
      "permit (principal, action, resource);\n"
      "forbid (principal, action, resource) " +
      std::string(kFailingCondition));
  const auto output = fixture.Compile();
  ASSERT_FALSE(output);
  ASSERT_THAT(output.error(), SizeIs(1));
  EXPECT_EQ(output.error()[0].code, "LOW-ERROR");
  EXPECT_THAT(output.error()[0].message, HasSubstr("net.connect tcp 0.0.0.0:46117"));
  EXPECT_THAT(output.error()[0].message, HasSubstr("overflow"));
  // Asked about that very event, the authorizer that acts denies.
  EXPECT_EQ(EvaluateWithContext(fixture.input(), Event("0.0.0.0", 46117)).verdict, Verdict::kDeny);
}

TEST(CompilerRefusalTest, ForbidThatIsBoundedBeforeItFailsIsAccepted) {
  const CompileFixture fixture(R"(
    permit (principal, action, resource);
    forbid (principal, action, resource)
    when { resource.port < 46117 && resource.port * 200000000000000 > 1000000000000000 };)");
  const auto output = fixture.Compile();
  ASSERT_TRUE(output) << Render(output.error());
  EXPECT_EQ(Decide(output->rules, Event("::1", 46116)).verdict, Verdict::kDeny);
  EXPECT_EQ(Decide(output->rules, Event("::1", 46117)).verdict, Verdict::kAllow);
}

TEST(CompilerRefusalTest, TheOrderOfConditionsDecidesWhetherAForbidFails) {
  const auto output = CompileFixture(R"(
    forbid (principal, action, resource)
    when { resource.port * 200000000000000 > 1000000000000000 && resource.port < 46117 };)")
                          .Compile();
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error()[0].code, "LOW-ERROR");
}

TEST(CompilerRefusalTest, IcmpHasOnlyPortZeroToFailOn) {
  const CompileFixture fixture(R"(
    forbid (principal, action, resource)
    when { resource.protocol like "icmp*" && resource.port * 200000000000000 > 0 };)");
  EXPECT_TRUE(fixture.Compile());
}

TEST(CompilerRefusalTest, WitnessOfAFailureIsAnAddressWhereItHappens) {
  const auto output = CompileFixture(R"(
    forbid (principal, action == Palyra::Action::"net.send", resource)
    when { resource.address == ip("2001:db8::5") && resource.protocol == "udp" &&
           resource.port > 9 && principal.nothing };)")
                          .Compile();
  ASSERT_FALSE(output);
  EXPECT_THAT(output.error()[0].message, HasSubstr("net.send udp [2001:db8::5]:10"));
}

TEST(CompilerRefusalTest, MappedAddressesAreNoWitness) {
  const CompileFixture fixture(R"(
    forbid (principal, action, resource)
    when { resource.address.isInRange(ip("::ffff:0:0/96")) && principal.nothing };)");
  const auto output = fixture.Compile();
  ASSERT_TRUE(output) << Render(output.error());
  EXPECT_THAT(output->warnings, ElementsAre(Field(&Diagnostic::code, "LOW-CASE")));
}

struct Warning {
  std::string policy;
  std::string code;
  std::string said;
};

void PrintTo(const Warning& warning, std::ostream* out) { *out << warning.policy; }

class WarningTest : public testing::TestWithParam<Warning> {};

TEST_P(WarningTest, IsGivenOnce) {
  const Warning& expected = GetParam();
  const auto output = CompileFixture(expected.policy).Compile();
  ASSERT_TRUE(output) << Render(output.error());
  ASSERT_THAT(output->warnings, SizeIs(1)) << Render(output->warnings);
  EXPECT_EQ(output->warnings[0].code, expected.code);
  EXPECT_EQ(output->warnings[0].severity, Severity::kWarning);
  EXPECT_THAT(output->warnings[0].message, HasSubstr(expected.said));
}

INSTANTIATE_TEST_SUITE_P(
    Oddities, WarningTest,
    testing::Values(Warning{"permit (principal, action, resource) " +
                                std::string(kFailingCondition),
                            "LOW-ERROR", "0.0.0.0:46117"},
                    Warning{"permit (principal, action, resource) "
                            "when { resource.address == ip(\"10.0.0.0/8\") };",
                            "LOW-PFX", "10.0.0.0/8"},
                    Warning{"permit (principal, action, resource) "
                            "when { resource.address == ip(\"::ffff:a00:1\") };",
                            "LOW-CASE", "IPv4"},
                    Warning{"permit (principal, action, resource) "
                            "when { resource has domain && resource.domain == \"A.test\" };",
                            "LOW-CASE", "A.test"},
                    Warning{"permit (principal, action, resource in "
                            "Palyra::Domain::\"a.test.\");",
                            "LOW-CASE", "a.test."},
                    Warning{"permit (principal, action == Palyra::Action::\"net.connect\", "
                            "resource is Palyra::Path);",
                            "LOW-ACTION", "Palyra::Path"},
                    Warning{"permit (principal, action in [Palyra::Action::\"net.connect\", "
                            "Palyra::Action::\"file.write\"], resource);",
                            "LOW-ACTION", "file.write"}));

TEST(CompilerRefusalTest, OrdinaryPoliciesHaveNoWarning) {
  const auto output = CompileFixture(R"(
    permit (principal, action == Palyra::Action::"net.connect", resource is Palyra::Endpoint)
    when { resource.address.isInRange(ip("10.0.0.0/8")) && resource.protocol == "tcp" }
    unless { resource.port < 1024 };)")
                          .Compile();
  ASSERT_TRUE(output);
  EXPECT_THAT(output->warnings, IsEmpty());
}

// The compiler tries every flow; the outcomes of the residual come from types and bounds alone.
TEST(Refusal, ForbidsThatFailAreThoseWhoseResidualMayError) {
  const struct {
    const char* condition;
    bool fails;
  } cases[] = {
      {"resource.port * 65536 > 7", false},
      {"resource.port * 200000000000000 > 7", true},
      {"resource.port < 100 && 1", true},
      {"resource.port + principal.port == 8444", false},
      {"resource.port < 70000 || resource.port * 200000000000000 > 7", false},
      {"resource.port > 70000 && resource.protocol < 1", false},
      {"resource.port - 9223372036854775807 < 0", false},
      {"resource.port + 9223372036854775807 > 0", true},
      {"resource.address.isInRange(principal.net)", false},
      {"resource.protocol like \"udp*\"", false},
      {"resource.address like \"udp*\"", true},
      {"principal.hosts.contains(resource.address)", false},
      {"-resource.port < 0", false},
      {"resource.protocol == \"tcp\" && resource.port < \"9\"", true},
      {"if resource.port == 1 then resource.port else resource.protocol == \"tcp\"", true},
  };
  for (const auto& c : cases) {
    const CompileFixture fixture("forbid (principal, action, resource) when { " +
                                 std::string(c.condition) + " };");
    const auto output = fixture.Compile();
    EXPECT_EQ(!output && output.error()[0].code == "LOW-ERROR", c.fails) << c.condition;
    EXPECT_TRUE(c.fails || output) << c.condition;
    const PartialRequest request{.principal = {.uid = fixture.input().principal},
                                 .action = {.uid = ActionUid(NetAction::kConnect)},
                                 .resource = OpenEndpoint(EntityStore()),
                                 .context = {},
                                 .open_context = {},
                                 .open_attrs = {}};
    const LayerInput& layer = fixture.input().layers[0];
    const ExprPtr residual = PartialEvaluator(request, *layer.entities)
                                 .Residual(WholeCondition(layer.policies->policies()[0].policy));
    EXPECT_EQ(MayError(*residual, request), c.fails) << c.condition;
  }
}

}  // namespace
}  // namespace palyra::policy
