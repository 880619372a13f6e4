// What a resolver may pin for a run, and what keeps the run from beginning.

#include "cli/preflight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "policy/compile/compiler.h"
#include "policy/entities.h"
#include "policy/policy_set.h"

namespace palyra::cli {
namespace {

using broker::Address;
using broker::NameOutcome;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Kind = broker::NameQuestion::Kind;

const Address kPublic = Address::V4({203, 0, 112, 5});
const Address kPrivate = Address::V4({10, 0, 0, 7});
const Address kMetadata = Address::V4({169, 254, 169, 254});

// a.test to any address; b.test to 10.0.0.7 alone.
policy::RuleSet Rules() {
  const auto policies = policy::PolicySet::Parse({std::make_shared<const policy::SourceFile>(
      "test",
      "permit (principal, action, resource in Palyra::Domain::\"a.test\");\n"
      "permit (principal, action, resource in Palyra::Domain::\"b.test\") when { "
      "resource.address == ip(\"10.0.0.7\") };\n")});
  const policy::EntityStore entities;
  return policy::CompileRules({.principal = policy::EntityUid("Palyra::Agent", "a"),
                               .context = policy::Value::Record({}),
                               .layers = {{policy::Layer::kCaller, &*policies, &entities}}})
      .value()
      .rules;
}

class PreflightTest : public testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> ends = {-1, -1};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
    resolver_ = UniqueFd(ends[0]);
    supervisor_ = UniqueFd(ends[1]);
  }

  static broker::AddressSet Learn(Preflight& preflight, const std::string& name,
                                  std::vector<Address> addresses) {
    return preflight.AnswerTo(
        {.kind = Kind::kLearn, .name = name, .addresses = std::move(addresses)});
  }

  // What Run() gives where the resolver settles these names, without an address.
  Result<std::vector<engine::PinnedAddress>> Settling(
      const std::vector<std::pair<std::string, NameOutcome>>& names) {
    PinnedNames all;
    for (const auto& [name, outcome] : names) all.insert(name);
    std::thread resolver([&] {
      broker::NameChannel channel(resolver_.get());
      for (const auto& [name, outcome] : names) channel.Settle(name, outcome);
    });
    auto result = Preflight(rules_, all).Run(supervisor_.get());
    supervisor_.Reset();
    resolver.join();
    return result;
  }

  policy::RuleSet rules_ = Rules();
  UniqueFd resolver_;
  UniqueFd supervisor_;
};

TEST_F(PreflightTest, PinsWhatNamesLeadTo) {
  std::thread resolver([&] {
    broker::NameChannel channel(resolver_.get());
    const std::vector<Address> addresses = {kPublic, kPrivate};
    EXPECT_EQ(channel.Learn("a.test", addresses, std::chrono::seconds(1)), broker::AddressSet(1));
    channel.Settle("a.test", NameOutcome::kPinned);
  });
  const auto pins = Preflight(rules_, {"a.test"}).Run(supervisor_.get());
  resolver.join();
  ASSERT_TRUE(pins) << pins.error().message;
  ASSERT_EQ(pins->size(), 1U);
  EXPECT_EQ(pins->front().name, "a.test");
  EXPECT_EQ(pins->front().address, ToEngine(kPublic));
  EXPECT_FALSE(pins->front().is_special);
}

TEST_F(PreflightTest, LeadsInsideOnlyWhereRulesSpeakOfTheAddress) {
  Preflight preflight(rules_, {"a.test", "b.test"});
  EXPECT_EQ(Learn(preflight, "a.test", {kPrivate, kMetadata}), broker::AddressSet());
  EXPECT_EQ(Learn(preflight, "b.test", {kPrivate, kMetadata}), broker::AddressSet(1));
  EXPECT_TRUE(
      preflight.AnswerTo({.kind = Kind::kMayReveal, .name = "b.test", .addresses = {kPrivate}})
          .any());
  EXPECT_FALSE(
      preflight.AnswerTo({.kind = Kind::kMayReveal, .name = "a.test", .addresses = {kPrivate}})
          .any());
}

// The resolver is not trusted: it asked for other names, or again.
TEST_F(PreflightTest, TakesNothingForOtherNamesOrAfterwards) {
  Preflight preflight(rules_, {"a.test"});
  EXPECT_EQ(Learn(preflight, "c.a.test", {kPublic}), broker::AddressSet());
  EXPECT_TRUE(Learn(preflight, "a.test", {kPublic}).any());
  preflight.AnswerTo(
      {.kind = Kind::kSettle, .name = "a.test", .addresses = {}, .outcome = NameOutcome::kPinned});
  EXPECT_EQ(Learn(preflight, "a.test", {kPublic}), broker::AddressSet());
}

TEST_F(PreflightTest, IsRefusedForEachNameThatLeadsNowhere) {
  const auto refused = Settling({{"a.test", NameOutcome::kNotFound},
                                 {"b.test", NameOutcome::kWithheld},
                                 {"c.test", NameOutcome::kNoAddress}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kRefused);
  EXPECT_THAT(refused.error().message,
              AllOf(HasSubstr("\"a.test\" is no name"), HasSubstr("\"b.test\" leads to"),
                    HasSubstr("\"c.test\" has no address")));
}

TEST_F(PreflightTest, WaitsForNoOtherWhereNoServerAnswers) {
  const auto refused =
      Settling({{"a.test", NameOutcome::kNoAnswer}, {"b.test", NameOutcome::kNotFound}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kRefused);
  EXPECT_THAT(refused.error().message,
              AllOf(HasSubstr("\"a.test\" was not answered"), Not(HasSubstr("b.test"))));
}

TEST_F(PreflightTest, BelievesNoResolverThatLearnedNothing) {
  const auto refused = Settling({{"a.test", NameOutcome::kPinned}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kRefused);
}

TEST_F(PreflightTest, FailsWithItsResolver) {
  resolver_.Reset();
  const auto failed = Preflight(rules_, {"a.test"}).Run(supervisor_.get());
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kUnavailable);
}

TEST_F(PreflightTest, NoNamesNeedNobody) {
  const auto pins = Preflight(rules_, {}).Run(supervisor_.get());
  ASSERT_TRUE(pins);
  EXPECT_TRUE(pins->empty());
}

}  // namespace
}  // namespace palyra::cli
