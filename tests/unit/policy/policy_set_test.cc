#include "policy/policy_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "policy/authorizer.h"
#include "tests/unit/policy/parse_helpers.h"

namespace palyra::policy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kPermit = "permit (principal, action, resource);";
constexpr const char* kForbid = "forbid (principal, action, resource);";
constexpr const char* kTemplates = R"(
  permit (principal, action, resource);
  @id("reader") permit (principal == ?principal, action, resource);
  forbid (principal is U in ?principal, action, resource in ?resource) unless { context.ok };
  permit (principal, action, resource == ?resource);)";

std::vector<std::string> Ids(const std::vector<PlacedPolicy>& placed) {
  std::vector<std::string> ids;
  for (const PlacedPolicy& policy : placed) {
    ids.push_back(policy.id);
  }
  return ids;
}

// What AddLink says of a link, "" where it takes it.
std::string LinkError(PolicySet set, const std::string& id, Link link) {
  const Result<void> linked = set.AddLink(id, std::move(link));
  return linked ? "" : linked.error().message;
}

TEST(PolicySet, NumbersPoliciesOverAllSources) {
  const auto set = PolicySet::Parse(
      {Source("\n\n@id(\"git-only\")\npermit (principal, action, resource);", "net.cedar"),
       Source("", "empty.cedar"), Source(std::string(kForbid) + kPermit, "more.cedar")});
  ASSERT_TRUE(set);
  ASSERT_EQ(set->size(), 3U);
  EXPECT_EQ((*set)[0].Label(), "policy0 (\"git-only\", net.cedar:3)");
  EXPECT_EQ((*set)[2].Label(), "policy2 (more.cedar:1)");
  EXPECT_EQ(set->Find("policy1"), &(*set)[1]);
  for (const char* id : {"policy3", "policy", "policy01", "git-only", "policy1x", ""}) {
    EXPECT_EQ(set->Find(id), nullptr) << id;
  }
}

TEST(PolicySet, ReportsTheErrorsOfAllSources) {
  const auto set =
      PolicySet::Parse({Source("permit;", "a"), Source(kPermit, "b"), Source("x", "c")});
  ASSERT_FALSE(set);
  ASSERT_EQ(set.error().size(), 2U);
  EXPECT_EQ(set.error()[0].source->name(), "a");
  EXPECT_EQ(set.error()[1].source->name(), "c");
}

TEST(PolicySet, NumbersPoliciesAndTemplatesTogether) {
  const PolicySet set = MustParsePolicies(kTemplates);
  EXPECT_THAT(Ids(set.policies()), ElementsAre("policy0"));
  EXPECT_THAT(Ids(set.templates()), ElementsAre("policy1", "policy2", "policy3"));
  EXPECT_EQ(set.Find("policy1"), nullptr);
  EXPECT_EQ(set.FindTemplate("policy0"), nullptr);
  EXPECT_EQ(set.FindTemplate("policy2"), &set.templates()[1]);
}

TEST(PolicySet, ALinkIsItsTemplateWithTheSlotsFilled) {
  PolicySet set = MustParsePolicies(kTemplates);
  const EntityUid ann("U", "ann");
  const EntityUid file("F", "x");
  ASSERT_TRUE(set.AddLink("ann-reads", {"policy1", {.principal = ann}}));
  ASSERT_TRUE(set.AddLink("ann-not-x", {"policy2", {.principal = ann, .resource = file}}));
  EXPECT_THAT(Ids(set.policies()), ElementsAre("policy0", "ann-reads", "ann-not-x"));
  EXPECT_EQ(ToCedar(set.Find("ann-reads")->policy),
            "@id(\"reader\")\npermit (principal == U::\"ann\", action, resource);");
  EXPECT_EQ(ToCedar(set.Find("ann-not-x")->policy),
            "forbid (principal is U in U::\"ann\", action, resource in F::\"x\")\n"
            "unless { context.ok };");
  EXPECT_EQ(set.Find("ann-reads")->Label(), "ann-reads (\"reader\", test.cedar:3)");
  EXPECT_EQ(set.Find("ann-reads")->link->template_id, "policy1");
  EXPECT_EQ(set.Find("policy0")->link, std::nullopt);
}

TEST(PolicySet, RefusesWrongLinks) {
  const EntityUid uid("U", "ann");
  PolicySet set = MustParsePolicies(kTemplates);
  ASSERT_TRUE(set.AddLink("link", {"policy1", {.principal = uid}}));
  const struct {
    const char* id;
    Link link;
    const char* message;
  } cases[] = {
      {"a", {"policy9", {}}, "cannot link \"a\": there is no template \"policy9\""},
      {"a", {"policy0", {}}, "cannot link \"a\": there is no template \"policy0\""},
      {"a", {"link", {.principal = uid}}, "cannot link \"a\": there is no template \"link\""},
      {"a",
       {"policy1", {}},
       "cannot link \"a\" to template \"policy1\": there is no value for the slot ?principal"},
      {"a",
       {"policy2", {.principal = uid}},
       "cannot link \"a\" to template \"policy2\": there is no value for the slot ?resource"},
      {"a",
       {"policy3", {.principal = uid, .resource = uid}},
       "cannot link \"a\" to template \"policy3\": there is a value for ?principal, but the "
       "template has no such slot"},
      {"link",
       {"policy1", {.principal = uid}},
       "the policy set already has a policy or template \"link\""},
      {"policy0",
       {"policy1", {.principal = uid}},
       "the policy set already has a policy or template \"policy0\""},
      {"policy1",
       {"policy1", {.principal = uid}},
       "the policy set already has a policy or template \"policy1\""},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(LinkError(set, c.id, c.link), c.message);
  }
}

TEST(PolicySet, TemplatesDecideNothingAndLinksDo) {
  PolicySet set = MustParsePolicies(kTemplates);
  const Request request{EntityUid("U", "ann"), EntityUid("Action", "a"), EntityUid("F", "x"),
                        Value::Record({{"ok", Value::Bool(false)}})};
  EXPECT_EQ(Authorize(set, request, EntityStore()).decision, Decision::kAllow);
  ASSERT_TRUE(set.AddLink(
      "no", {"policy2", {.principal = EntityUid("U", "ann"), .resource = EntityUid("F", "x")}}));
  ASSERT_TRUE(set.AddLink(
      "other", {"policy2", {.principal = EntityUid("U", "bob"), .resource = EntityUid("F", "x")}}));
  const Response response = Authorize(set, request, EntityStore());
  EXPECT_EQ(response.decision, Decision::kDeny);
  EXPECT_THAT(response.reasons, ElementsAre(1));
  EXPECT_THAT(response.errors, IsEmpty());
}

TEST(PolicySet, AddRefusesAnIdTwice) {
  const PolicySet set = MustParsePolicies(kTemplates);
  const PlacedPolicy& policy = set[0];
  const PlacedPolicy& policy_template = set.templates()[0];
  ASSERT_TRUE(PolicySet(set).Add("new", policy.source, policy.policy));
  EXPECT_FALSE(PolicySet(set).Add("policy2", policy.source, policy.policy));
  EXPECT_FALSE(PolicySet(set).Add("policy0", policy.source, policy_template.policy));
}

}  // namespace
}  // namespace palyra::policy
