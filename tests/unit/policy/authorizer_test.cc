#include "policy/authorizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/policy/parse_helpers.h"

namespace palyra::policy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kPermit = "permit (principal, action, resource);";
constexpr const char* kForbid = "forbid (principal, action, resource);";
constexpr const char* kPermitFails = "permit (principal, action, resource) when { context.x };";
constexpr const char* kForbidFails = "forbid (principal, action, resource) when { 1 };";
constexpr const char* kPermitAsks = "@ask(\"why\") permit (principal, action, resource);";
constexpr const char* kPermitVerifies = "@verify(\"sni\") permit (principal, action, resource);";
constexpr const char* kForbidAsks = "@ask(\"no use\") forbid (principal, action, resource);";
constexpr const char* kPermitOther = "permit (principal == U::\"other\", action, resource);";

const Request& AnyRequest() {
  static const Request kRequest{EntityUid("U", "u"), EntityUid("Action", "a"), EntityUid("R", "r"),
                                Value::Record({})};
  return kRequest;
}

Response Ask(const std::string& policies) {
  return Authorize(MustParsePolicies(policies), AnyRequest(), EntityStore());
}

Judgement AskJudge(const std::string& policies) {
  return Judge(MustParsePolicies(policies), AnyRequest(), EntityStore());
}

TEST(Authorizer, DeniesWithoutAPermit) {
  for (const std::string policies : {"", kPermitOther}) {
    const Response response = Ask(policies);
    EXPECT_EQ(response.decision, Decision::kDeny);
    EXPECT_THAT(response.reasons, IsEmpty());
    EXPECT_THAT(response.errors, IsEmpty());
  }
}

TEST(Authorizer, AllowsByEverySatisfiedPermit) {
  const Response response = Ask(std::string(kPermit) + kPermitOther + kPermit);
  EXPECT_EQ(response.decision, Decision::kAllow);
  EXPECT_THAT(response.reasons, ElementsAre(0, 2));
}

TEST(Authorizer, ForbidWins) {
  const Response response = Ask(std::string(kPermit) + kForbid + kPermit + kForbid);
  EXPECT_EQ(response.decision, Decision::kDeny);
  EXPECT_THAT(response.reasons, ElementsAre(1, 3));
}

TEST(Authorizer, SkipsAndListsWhatErrorsEvenAForbid) {
  const Response response = Ask(std::string(kPermitFails) + kForbidFails + kPermit);
  EXPECT_EQ(response.decision, Decision::kAllow);
  EXPECT_THAT(response.reasons, ElementsAre(2));
  ASSERT_EQ(response.errors.size(), 2U);
  EXPECT_EQ(response.errors[0].policy, 0U);
  EXPECT_EQ(response.errors[0].error.message, "record has no attribute \"x\"");
  EXPECT_EQ(response.errors[1].policy, 1U);
  EXPECT_EQ(response.errors[1].error.message, "type error: expected bool, found long");
}

TEST(Authorizer, ScopeComesBeforeConditionsAndUnlessMayError) {
  EXPECT_THAT(Ask("permit (principal == U::\"other\", action, resource) when { 1 };").errors,
              IsEmpty());
  const Response response = Ask("permit (principal, action, resource) unless { context.x };");
  EXPECT_EQ(response.decision, Decision::kDeny);
  EXPECT_EQ(response.errors.size(), 1U);
  EXPECT_EQ(Ask("permit (principal, action, resource) when { true } unless { true };").decision,
            Decision::kDeny);
}

TEST(Judge, TakesTheStrictestOfWhatIsSatisfied) {
  const struct {
    std::string policies;
    Verdict verdict;
    std::vector<size_t> reasons;
  } cases[] = {
      {"", Verdict::kDeny, {}},
      {kPermit, Verdict::kAllow, {0}},
      {kPermitAsks, Verdict::kAsk, {0}},
      {std::string(kPermitAsks) + kPermitAsks, Verdict::kAsk, {0, 1}},
      {std::string(kPermitAsks) + kPermit, Verdict::kAllow, {0, 1}},
      {std::string(kPermitAsks) + kPermitOther, Verdict::kAsk, {0}},
      {kPermitVerifies, Verdict::kVerify, {0}},
      {std::string(kPermitAsks) + kPermitVerifies, Verdict::kVerify, {0, 1}},
      {std::string(kPermitVerifies) + kPermit, Verdict::kAllow, {0, 1}},
      {std::string(kPermitVerifies) + kForbid, Verdict::kDeny, {1}},
      {std::string(kPermitAsks) + kForbid, Verdict::kDeny, {1}},
      {std::string(kPermit) + kForbidAsks, Verdict::kDeny, {1}},
      {std::string(kPermit) + kPermitFails, Verdict::kAllow, {0}},
      {kPermitFails, Verdict::kDeny, {}},
  };
  for (const auto& c : cases) {
    const Judgement judgement = AskJudge(c.policies);
    EXPECT_EQ(judgement.verdict, c.verdict) << c.policies;
    EXPECT_EQ(judgement.reasons, c.reasons) << c.policies;
  }
}

TEST(Judge, AForbidThatErrorsDenies) {
  const Judgement judgement = AskJudge(std::string(kForbidFails) + kPermit + kForbid);
  EXPECT_EQ(judgement.verdict, Verdict::kDeny);
  EXPECT_THAT(judgement.reasons, ElementsAre(0, 2));
  EXPECT_EQ(judgement.errors.size(), 1U);
  EXPECT_EQ(AskJudge(std::string(kForbidFails) + kPermit).verdict, Verdict::kDeny);
}

}  // namespace
}  // namespace palyra::policy
