// Rules that speak of the names by which endpoints are known.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "policy/compile/explain.h"
#include "policy/compile/rule_diff.h"
#include "policy/compile/verify.h"
#include "policy/named_class.h"
#include "tests/unit/policy/compile_fixture.h"

namespace palyra::policy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

NetEvent As(const std::string& domain, std::string_view address = "192.0.2.1",
            uint16_t port = 443) {
  NetEvent event = Event(address, port);
  event.domain = domain;
  return event;
}

// The verdict of the tables, which must be that of the policies and pass verification.
class DomainRulesTest : public testing::Test {
 protected:
  static Verdict Decided(const std::string& policies, const NetEvent& event) {
    const CompileFixture fixture(policies);
    const auto output = fixture.Compile();
    if (!output) {
      ADD_FAILURE() << policies << output.error().front().message;
      return Verdict::kDeny;
    }
    EXPECT_EQ(OutcomeOf(output->rules, event), EvaluateWithContext(fixture.input(), event))
        << policies << EventText(event);
    EXPECT_TRUE(VerifyRules(fixture.input(), output->partitions, output->rules).passed());
    return Decide(output->rules, event).verdict;
  }

  static RuleSet Compiled(const std::string& policies) {
    return CompileFixture(policies).Compile().value().rules;
  }
};

constexpr const char* kExample =
    "permit (principal, action, resource in Palyra::Domain::\"a.test\") "
    "when { resource.port == 443 };\n";

std::string Permit(const std::string& domain, const std::string& condition = "true") {
  return "permit (principal, action, resource in Palyra::Domain::\"" + domain + "\") when { " +
         condition + " };\n";
}

TEST_F(DomainRulesTest, ADomainHoldsItsApexAndEverySubdomain) {
  EXPECT_EQ(Decided(kExample, As("a.test")), Verdict::kAllow);
  EXPECT_EQ(Decided(kExample, As("b.a.test")), Verdict::kAllow);
  EXPECT_EQ(Decided(kExample, As("c.b.a.test")), Verdict::kAllow);
  EXPECT_EQ(Decided(kExample, As("ba.test")), Verdict::kDeny);
  EXPECT_EQ(Decided(kExample, As("test")), Verdict::kDeny);
  EXPECT_EQ(Decided(kExample, As("a.test.evil.example")), Verdict::kDeny);
  EXPECT_EQ(Decided(kExample, As("a.test", "192.0.2.1", 80)), Verdict::kDeny);
}

TEST_F(DomainRulesTest, AnAddressThatNobodyLookedUpHasNoName) {
  EXPECT_EQ(Decided(kExample, Event("192.0.2.1", 443)), Verdict::kDeny);
  const std::string literal =
      "permit (principal, action, resource) unless { resource has domain };";
  EXPECT_EQ(Decided(literal, Event("192.0.2.1", 443)), Verdict::kAllow);
  EXPECT_EQ(Decided(literal, As("a.test")), Verdict::kDeny);
}

TEST_F(DomainRulesTest, AForbidOnAnAddressHoldsUnderEveryName) {
  const std::string policies = std::string(kExample) +
                               "forbid (principal, action, resource) "
                               "when { resource.address.isInRange(ip(\"10.0.0.0/8\")) };";
  EXPECT_EQ(Decided(policies, As("a.test", "10.1.2.3")), Verdict::kDeny);
  EXPECT_EQ(Decided(policies, As("a.test", "192.0.2.1")), Verdict::kAllow);
}

TEST_F(DomainRulesTest, AForbidOnANameLeavesOthersAlone) {
  const std::string policies =
      "permit (principal, action, resource);"
      "forbid (principal, action, resource in Palyra::Domain::\"b.a.test\");";
  EXPECT_EQ(Decided(policies, As("a.test")), Verdict::kAllow);
  EXPECT_EQ(Decided(policies, As("x.b.a.test")), Verdict::kDeny);
  EXPECT_EQ(Decided(policies, Event("192.0.2.1", 443)), Verdict::kAllow);
}

TEST_F(DomainRulesTest, GroupsOfDomainsComeFromTheEntities) {
  const std::string policies =
      "permit (principal, action, resource in Palyra::Domain::\"partners\");";
  EXPECT_EQ(Decided(policies, As("x.b.a.test")), Verdict::kAllow);
  EXPECT_EQ(Decided(policies, As("a.test")), Verdict::kDeny);
}

TEST_F(DomainRulesTest, PatternsAreLoweredExactly) {
  const std::string policies =
      "permit (principal, action, resource) "
      "when { resource has domain && resource.domain like \"*.cdn-*.test\" };";
  EXPECT_EQ(Decided(policies, As("x.cdn-7.test")), Verdict::kAllow);
  EXPECT_EQ(Decided(policies, As("cdn-7.test")), Verdict::kDeny);
}

TEST_F(DomainRulesTest, NamesThatMakeNoDifferenceCostNothing) {
  EXPECT_FALSE(Compiled("permit (principal, action, resource);").domains);
  EXPECT_TRUE(Compiled(kExample).domains);
}

TEST_F(DomainRulesTest, ManyDomainsShareWhatTheyDecideAlike) {
  std::string list;
  for (int i = 0; i < 1000; ++i) {
    list += (i == 0 ? "" : ", ") + std::string("Palyra::Domain::\"d") + std::to_string(i) +
            ".example\"";
  }
  const RuleSet rules =
      Compiled("permit (principal, action, resource) when { resource in [" + list + "] };");
  EXPECT_EQ(rules.domains->tables.size(), 2U);
}

TEST_F(DomainRulesTest, ExplanationsNameTheClassOfNames) {
  const CompileFixture fixture(kExample);
  const auto output = fixture.Compile();
  const std::string text = ToText(Explain(fixture.input(), output->rules, As("b.a.test")));
  EXPECT_THAT(text, HasSubstr("net.connect tcp 192.0.2.1:443 as b.a.test: allow"));
  EXPECT_THAT(text, HasSubstr("resource in Palyra::Domain::\"a.test\""));
  EXPECT_THAT(text, HasSubstr("table: names 1, "));
}

TEST_F(DomainRulesTest, DifferencesSayForWhichNames) {
  const std::vector<RuleChange> changes = DiffRules(
      Compiled(kExample), Compiled("permit (principal, action == Palyra::Action::\"net.connect\", "
                                   "resource in Palyra::Domain::\"a.test\");"));
  bool found = false;
  for (const RuleChange& change : changes) {
    if (change.events == "net.connect tcp 0-442") {
      found = true;
      EXPECT_THAT(change.names, ElementsAre("a.test and below"));
      EXPECT_THAT(change.places, ElementsAre("0.0.0.0/0", "::/0"));
    }
  }
  EXPECT_TRUE(found);
}

TEST_F(DomainRulesTest, DigestAndTextTellRulesOfNamesApart) {
  const RuleSet rules = Compiled(kExample);
  RuleSet other = rules;
  other.domains->tables.back() = other.domains->tables.front();
  EXPECT_NE(Digest(other), Digest(rules));
  EXPECT_NE(DumpText(other), DumpText(rules));
  EXPECT_THAT(DumpText(rules), HasSubstr("domains states"));
}

Verdict Merged(const RuleSet& rules, const std::vector<std::string>& names, uint16_t port) {
  const NetEvent event = Event("192.0.2.1", port);
  const RuleSet merged = {
      .prefixes = {},
      .classes = {NamedClass(rules, {.is_ipv6 = false, .bytes = event.address, .is_special = false},
                             names)},
      .reasons = rules.reasons};
  return Decide(merged, event).verdict;
}

TEST_F(DomainRulesTest, AnAddressOfSeveralNamesIsJudgedUnderEach) {
  const RuleSet rules = Compiled(
      "permit (principal, action, resource in Palyra::Domain::\"a.test\") "
      "when { resource.port == 443 };"
      "@ask(\"sure?\") permit (principal, action, resource in Palyra::Domain::\"b.test\") "
      "when { resource.port >= 80 && resource.port <= 443 };"
      "forbid (principal, action, resource in Palyra::Domain::\"c.test\") "
      "when { resource.port == 443 };");
  EXPECT_EQ(Merged(rules, {"a.test", "b.test"}, 443), Verdict::kAllow);
  EXPECT_EQ(Merged(rules, {"a.test", "b.test"}, 80), Verdict::kAsk);
  EXPECT_EQ(Merged(rules, {"b.test", "a.test"}, 79), Verdict::kDeny);
  EXPECT_EQ(Merged(rules, {"a.test", "c.test"}, 443), Verdict::kDeny);
  EXPECT_EQ(Merged(rules, {"c.test", "b.test"}, 80), Verdict::kAsk);
  EXPECT_EQ(Merged(rules, {"c.test", "b.test"}, 443), Verdict::kDeny);
  EXPECT_EQ(Merged(rules, {"a.test"}, 443), Verdict::kAllow);
}

TEST_F(DomainRulesTest, WhatIsVerifiedIsReachedByTheNameThatIsShown) {
  const RuleSet rules = Compiled(
      "@verify(\"sni\") permit (principal, action == Palyra::Action::\"net.connect\", "
      "resource in Palyra::Domain::\"a.test\") when { resource.port == 443 };"
      "@ask(\"sure?\") permit (principal, action == Palyra::Action::\"net.connect\", "
      "resource in Palyra::Domain::\"ask.test\") when { resource.port == 443 };"
      "permit (principal, action == Palyra::Action::\"net.connect\", resource in "
      "Palyra::Domain::\"plain.test\") when { resource.port == 443 };");
  const auto may_reach = [&](const std::string& name, uint16_t port, bool is_special) {
    const NetEvent event = Event("192.0.2.1", port);
    return MayReachVerified(
        rules, {.is_ipv6 = false, .bytes = event.address, .is_special = is_special}, port, name);
  };
  EXPECT_TRUE(may_reach("a.test", 443, false));
  EXPECT_TRUE(may_reach("b.a.test", 443, false));
  EXPECT_TRUE(may_reach("plain.test", 443, false));
  EXPECT_FALSE(may_reach("a.test", 80, false));
  EXPECT_FALSE(may_reach("evil.test", 443, false));
  EXPECT_FALSE(may_reach("ask.test", 443, false));
  EXPECT_FALSE(may_reach("a.test", 443, true)) << "into a private network";
  EXPECT_EQ(Merged(rules, {"a.test"}, 443), Verdict::kVerify);
  EXPECT_EQ(Merged(rules, {"a.test", "ask.test"}, 443), Verdict::kVerify);
  EXPECT_EQ(Merged(rules, {"a.test", "plain.test"}, 443), Verdict::kAllow);
}

// Whoever owns a name says where it leads: into a private network only where rules speak of it.
TEST_F(DomainRulesTest, ANameOpensNothingOfItsOwnAtASpecialAddress) {
  const RuleSet rules =
      Compiled(Permit("a.test") +
               "permit (principal, action, resource in Palyra::Domain::\"b.test\") "
               "when { resource.address.isInRange(ip(\"10.0.0.0/8\")) };"
               "permit (principal, action, resource) "
               "when { resource.address == ip(\"10.0.0.8\") && resource.port == 9 };");
  const auto verdict = [&](const std::string& name, std::string_view address, uint16_t port) {
    const NetEvent event = Event(address, port);
    const NamedAddress special{
        .is_ipv6 = event.is_ipv6, .bytes = event.address, .is_special = true};
    const RuleSet merged = {.prefixes = {},
                            .classes = {NamedClass(rules, special, {&name, 1})},
                            .reasons = rules.reasons};
    return Decide(merged, event).verdict;
  };
  EXPECT_EQ(verdict("a.test", "10.0.0.7", 9), Verdict::kDeny);
  EXPECT_EQ(verdict("a.test", "fd00::7", 9), Verdict::kDeny);
  EXPECT_EQ(verdict("a.test", "10.0.0.8", 9), Verdict::kAllow) << "by its address";
  EXPECT_EQ(verdict("a.test", "10.0.0.8", 10), Verdict::kDeny);
  EXPECT_EQ(verdict("b.test", "10.0.0.7", 10), Verdict::kAllow) << "by name and address";
}

TEST_F(DomainRulesTest, TooManyNamesAndAddressesTogetherAreRefused) {
  std::string policies;
  for (int i = 0; i < 20; ++i) {
    policies += Permit("d" + std::to_string(i) + ".test",
                       "resource.address == ip(\"192.0.2." + std::to_string(i) + "\")");
  }
  const CompileFixture fixture(policies);
  CompileInput input = fixture.input();
  const size_t prefixes = 20;
  input.limits.prefixes = prefixes;
  EXPECT_TRUE(CompileRules(input));
  input.limits.prefixes = prefixes - 1;
  const auto refused = CompileRules(input);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error()[0].code, "LOW-SIZE");
  EXPECT_THAT(refused.error()[0].message, HasSubstr("domains and addresses"));
}

TEST_F(DomainRulesTest, NamesMayBeAskedForWhereTheyOpenSomething) {
  const RuleSet rules = Compiled(kExample);
  EXPECT_TRUE(MayBeAskedFor(rules, "b.a.test"));
  EXPECT_FALSE(MayBeAskedFor(rules, "evil.example"));
  EXPECT_FALSE(MayBeAskedFor(
      Compiled("permit (principal, action == Palyra::Action::\"net.listen\", resource);"), "a"));
  // What may be reached by its address needs no name, and names can carry data out.
  const RuleSet both =
      Compiled(std::string(kExample) +
               "permit (principal, action, resource) when { "
               "resource.address == ip(\"127.0.0.1\") && resource.port == 8080 };");
  EXPECT_TRUE(MayBeAskedFor(both, "a.test"));
  EXPECT_FALSE(MayBeAskedFor(both, "secret.evil.example"));
  // Where all of the Internet may be reached, a name carries nothing that could not leave
  // otherwise.
  const RuleSet all = Compiled(
      "permit (principal, action, resource);"
      "forbid (principal, action, resource in Palyra::Domain::\"a.test\");");
  EXPECT_TRUE(MayBeAskedFor(all, "evil.example"));
  EXPECT_FALSE(MayBeAskedFor(all, "b.a.test"));
}

TEST_F(DomainRulesTest, AForbidOfWhatIsNeverANameIsRefused) {
  for (const char* condition :
       {"resource in Palyra::Domain::\"Evil.com\"",
        "resource has domain && resource.domain like \"*.Evil.COM\"",
        "resource has domain && [\"Evil.com\", \"a.test\"].contains(resource.domain)",
        "resource has domain && resource.domain == \"evil.com.\""}) {
    const std::string when =
        std::string(" (principal, action, resource) when { ") + condition + " };";
    EXPECT_FALSE(CompileFixture("forbid" + when).Compile()) << condition;
    const auto permit = CompileFixture("permit" + when).Compile();
    ASSERT_TRUE(permit) << condition;
    ASSERT_FALSE(permit->warnings.empty()) << condition;
    EXPECT_EQ(permit->warnings[0].code, "LOW-CASE") << condition;
  }
}

}  // namespace
}  // namespace palyra::policy
