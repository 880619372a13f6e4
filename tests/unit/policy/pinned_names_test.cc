// Which names are resolved before a run, and which policies leave nothing to resolve.

#include "policy/compile/pinned_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/policy/compile_fixture.h"

namespace palyra::policy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string Permit(const std::string& condition) {
  return "permit (principal, action, resource is Palyra::Endpoint) when { " + condition + " };\n";
}
std::string Forbid(const std::string& condition) {
  return "forbid (principal, action, resource is Palyra::Endpoint) when { " + condition + " };\n";
}
std::string In(const std::string& domain) {
  return "resource in Palyra::Domain::\"" + domain + '"';
}
std::string Is(const std::string& domain) {
  return "resource has domain && resource.domain == \"" + domain + '"';
}
std::string Like(const std::string& pattern) {
  return "resource has domain && resource.domain like \"" + pattern + '"';
}

// The names; of what is refused its code and policy.
std::vector<std::string> Pins(const CompileFixture& fixture) {
  const auto output = fixture.Compile();
  if (!output) return {"does not compile: " + output.error().front().message};
  auto names = NamesToPin(*output);
  if (names) return *std::move(names);
  std::vector<std::string> refused;
  for (const Diagnostic& one : names.error()) {
    refused.push_back(one.code + ' ' + one.policy_id.value_or("-"));
  }
  return refused;
}

std::vector<std::string> Pins(const std::string& policies) {
  return Pins(CompileFixture(policies));
}

TEST(NamesToPin, AreThoseThatPermitsSpellOut) {
  EXPECT_THAT(Pins(Permit(Is("b.test")) + Permit(Is("a.test"))), ElementsAre("a.test", "b.test"));
  EXPECT_THAT(Pins(Permit("resource has domain && [\"a.test\", \"b.test\"].contains("
                          "resource.domain)")),
              ElementsAre("a.test", "b.test"));
  EXPECT_THAT(Pins(Permit("resource.port == 443")), IsEmpty());
}

TEST(NamesToPin, ADomainStandsForItsOwnName) {
  EXPECT_THAT(Pins(Permit(In("a.test"))), ElementsAre("a.test"));
  EXPECT_THAT(Pins(Permit(In("a.test") + " && resource.port == 443") + Permit(Is("a.test"))),
              ElementsAre("a.test"));
  EXPECT_THAT(Pins(Permit(In("a.test")) + Permit(Is("b.a.test"))),
              ElementsAre("a.test", "b.a.test"));
}

TEST(NamesToPin, AGroupStandsForItsMembers) {
  EXPECT_THAT(Pins(Permit(In("partners"))), ElementsAre("b.a.test"));
  EXPECT_THAT(Pins(Permit(In("intranet"))), ElementsAre("intranet"));
}

TEST(NamesToPin, AreNotThoseThatNoRuleLetsThrough) {
  EXPECT_THAT(Pins(Permit(Is("a.test")) + Permit(Is("b.test")) + Forbid(Is("a.test"))),
              ElementsAre("b.test"));
  EXPECT_THAT(Pins(Forbid(Is("a.test")) + Permit("true")), IsEmpty());
  EXPECT_THAT(Pins(CompileFixture({{Layer::kOperator, Permit(In("a.test"))},
                                   {Layer::kCaller, Permit(Is("a.test")) + Permit(Is("b.test"))}})),
              ElementsAre("a.test"));
}

TEST(NamesToPin, LocalhostIsAskedOfNobody) {
  EXPECT_THAT(Pins(Permit(In("localhost")) + Permit(Is("a.test"))), ElementsAre("a.test"));
}

TEST(NamesToPin, APatternCannotBeListed) {
  EXPECT_THAT(Pins(Permit(Like("*.a.test"))), ElementsAre("PIN-OPEN policy0"));
  EXPECT_THAT(Pins(Permit(Is("b.test")) + Permit(Like("*.a.test"))),
              ElementsAre("PIN-OPEN policy1"));
  EXPECT_THAT(Pins(Permit(In("a.test")) + Permit(Like("*.b.a.test"))),
              ElementsAre("PIN-OPEN policy1"));
  EXPECT_THAT(Pins(Permit(Is("x.a.test")) + Permit(Like("*.a.test"))),
              ElementsAre("PIN-OPEN policy1"));
}

TEST(NamesToPin, NorCanAllNamesButSome) {
  EXPECT_THAT(Pins(Permit("resource has domain && resource.domain != \"a.test\"")),
              ElementsAre("PIN-OPEN policy0"));
  EXPECT_THAT(Pins(Permit("resource has domain")), ElementsAre("PIN-OPEN policy0"));
}

TEST(NamesToPin, ADomainWhoseOwnNameIsForbiddenHasNoneToPin) {
  EXPECT_THAT(Pins(Permit(In("a.test")) + Forbid(Is("a.test"))), ElementsAre("PIN-OPEN policy0"));
}

// What is let through in the end counts, by whatever policies.
TEST(NamesToPin, APatternThatLetsOnlyListedNamesThroughIsNone) {
  EXPECT_THAT(Pins(Permit(Like("*.a.test") + " && resource.domain == \"b.a.test\"")),
              ElementsAre("b.a.test"));
  EXPECT_THAT(Pins(CompileFixture({{Layer::kOperator, Permit(Like("*.a.test"))},
                                   {Layer::kCaller, Permit(Is("b.a.test"))}})),
              ElementsAre("b.a.test"));
  EXPECT_THAT(Pins(Permit(Is("a.test")) + Forbid(Like("*.a.test"))), ElementsAre("a.test"));
}

TEST(NamesToPin, AddressesWithoutANameNeedNone) {
  EXPECT_THAT(Pins(Permit("true") + Permit(Is("a.test"))), ElementsAre("a.test"));
  EXPECT_THAT(Pins(Permit(In("a.test") + " || resource.address.isLoopback()")),
              ElementsAre("a.test"));
}

TEST(NamesToPin, AreBounded) {
  std::string policies;
  for (size_t i = 0; i < kMaxPinnedNames; ++i) {
    policies += Permit(Is(std::to_string(i) + ".a.test"));
  }
  EXPECT_EQ(Pins(policies).size(), kMaxPinnedNames);
  EXPECT_THAT(Pins(policies + Permit(Is("one.more.test"))), ElementsAre("PIN-MANY -"));
}

}  // namespace
}  // namespace palyra::policy
