// The decision in the running kernel is that of the RuleSet, for any rules and every question.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "engine/kernel_judge.h"
#include "engine/table_image.h"
#include "policy/compile/compiler.h"
#include "tests/support/require_feature.h"
#include "tests/unit/engine/random_rules.h"
#include "tests/unit/policy/random_policies.h"

namespace palyra::engine {
namespace {

using policy::NetEvent;
using policy::RuleSet;
using policy::Ruling;

#ifdef __SANITIZE_ADDRESS__
constexpr int kEvents = 8'000;
#else
constexpr int kEvents = 100'000;
#endif
constexpr int kEventsOfEach = 250;
constexpr int kSets = kEvents / kEventsOfEach;

constexpr uint32_t kHasHosts = PALYRA_HAS_HOSTS4 | PALYRA_HAS_HOSTS6;

class RulesKernelTest : public testing::Test {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(tests::Root());
    Result<KernelJudge> judge = KernelJudge::Load();
    ASSERT_TRUE(judge) << judge.error().message;
    judge_.emplace(*std::move(judge));
  }

  // Beside those that are there. Every second profile has hosts, be they few.
  uint32_t Upload(const RuleSet& rules) {
    ++profiles_;
    const uint32_t profile = profiles_ % 2 == 0 ? profiles_ : profiles_ | kHasHosts;
    const Result<TableImage> image = BuildTableImage(rules, profile);
    EXPECT_TRUE(image) << image.error().message;
    const Result<void> written = judge_->Upload(*image);
    EXPECT_TRUE(written) << written.error().message;
    return profile;
  }

  Ruling Ask(uint32_t profile, const NetEvent& event) {
    palyra_net_judgement question = {};
    question.profile = profile;
    question.port = event.port;
    question.is_ipv6 = event.is_ipv6 ? 1 : 0;
    question.action = static_cast<palyra_action>(1U << static_cast<unsigned>(event.action));
    question.protocol = static_cast<palyra_protocol>(1U << static_cast<unsigned>(event.protocol));
    std::ranges::copy(event.address, question.address);
    const Result<palyra_net_judgement> answer = judge_->AskNet(question);
    EXPECT_TRUE(answer) << answer.error().message;
    return {.verdict = static_cast<policy::Verdict>(answer->verdict), .reason = answer->reason};
  }

  std::string SeedText() const { return "PALYRA_SEED=" + std::to_string(seed_) + '\n'; }

  static uint64_t Seed() {
    const char* given = std::getenv("PALYRA_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  }

  const uint64_t seed_ = Seed();
  std::optional<KernelJudge> judge_;
  uint32_t profiles_ = 0;
};

const policy::PolicySet& OuterPolicies() {
  static const policy::PolicySet kPolicies =
      policy::PolicySet::Parse({std::make_shared<const policy::SourceFile>("outer", R"(
            permit (principal, action, resource);
            forbid (principal, action == Palyra::Action::"net.connect", resource)
            when { resource.address.isInRange(ip("169.254.169.254")) };
          )")})
          .value();
  return kPolicies;
}

std::optional<RuleSet> Compile(const std::string& text) {
  const auto source = std::make_shared<const policy::SourceFile>("random", text);
  const auto policies = policy::PolicySet::Parse({source});
  const policy::EntityStore entities;
  auto compiled =
      policy::CompileRules({.principal = policy::EntityUid("Palyra::Agent", "any"),
                            .context = policy::Value::Record({}),
                            .layers = {{policy::Layer::kMandatory, &OuterPolicies(), &entities},
                                       {policy::Layer::kCaller, &policies.value(), &entities}}});
  if (!compiled) return std::nullopt;
  return std::move(compiled->rules);
}

TEST_F(RulesKernelTest, DecidesByRandomPoliciesAsTheirRuleSets) {
  policy::RandomPolicies random(seed_);
  std::array<int, 4> verdicts = {};
  // More of them until each verdict has been seen often.
  const auto is_rare = [&] { return std::ranges::min(verdicts) <= kEvents / 100; };
  for (int sets = 0; sets < kSets || (is_rare() && sets < 10 * kSets);) {
    const std::string text = random.Policies(6, false);
    const std::optional<RuleSet> rules = Compile(text);
    if (!rules) continue;
    ++sets;
    const uint32_t profile = Upload(*rules);
    for (int i = 0; i < kEventsOfEach; ++i) {
      NetEvent event = random.Event();
      event.domain.reset();  // The tables are asked of addresses.
      const Ruling expected = policy::Decide(*rules, event);
      ASSERT_EQ(Ask(profile, event), expected) << SeedText() << text << policy::DumpText(*rules);
      ++verdicts.at(static_cast<size_t>(expected.verdict));
    }
  }
  EXPECT_FALSE(is_rare()) << SeedText();
}

TEST_F(RulesKernelTest, DecidesByRandomTablesAsTheirRuleSets) {
  RandomRules random(seed_);
  for (int sets = 0; sets < kSets; ++sets) {
    const RuleSet rules = random.Rules();
    const uint32_t profile = Upload(rules);
    for (int i = 0; i < kEventsOfEach; ++i) {
      const NetEvent event = random.Event(rules);
      ASSERT_EQ(Ask(profile, event), policy::Decide(rules, event))
          << SeedText() << policy::DumpText(rules);
    }
  }
}

TEST_F(RulesKernelTest, OfAProfileThatIsNotThereDeniesEverything) {
  policy::RandomPolicies random(seed_);
  for (int i = 0; i < kEventsOfEach; ++i) {
    const Ruling denied = {.verdict = policy::Verdict::kDeny, .reason = 0};
    EXPECT_EQ(Ask(7, random.Event()), denied);
    EXPECT_EQ(Ask(kHasHosts | 7, random.Event()), denied);
  }
}

}  // namespace
}  // namespace palyra::engine
