// Programs that are told apart by digest: the tables say what the rules say.

#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "engine/file_programs.h"
#include "engine/rule_judge.h"
#include "engine/table_image.h"
#include "tests/support/require_feature.h"
#include "tests/unit/engine/random_rules.h"

namespace palyra::engine {
namespace {

using policy::NameAction;
using policy::NameEvent;
using policy::NameRules;
using policy::RuleSet;
using policy::Verdict;

// With one class of names; its leaves by flag.
RuleSet RulesOfPrograms(std::vector<std::string> digests, const std::vector<Verdict>& verdicts) {
  RuleSet rules;
  rules.classes.resize(1);
  rules.reasons.push_back({.layers = {{policy::Layer::kCaller, {}}}});
  policy::SparseDfa dfa;
  dfa.states.push_back({.text_class = 0, .fallback = 0, .first_edge = 0});
  NameRules names = {.action = NameAction::kProcessExec,
                     .automaton = policy::Automaton(dfa),
                     .digests = std::move(digests),
                     .flag_count = static_cast<uint32_t>(verdicts.size()),
                     .leaves = {}};
  for (const Verdict verdict : verdicts) names.leaves.push_back({.verdict = verdict, .reason = 0});
  rules.names.push_back(std::move(names));
  return rules;
}

std::string Digits(char digit) { return std::string(64, digit); }

bool NeedsDigest(const std::vector<Verdict>& verdicts) {
  const TableImage image =
      *BuildTableImage(RulesOfPrograms({Digits('a')}, verdicts), PALYRA_JUDGES_FILES | 1U);
  for (size_t i = 0; i < image.name_leaves.keys.size(); ++i) {
    const bool needs_digest = image.name_leaves.values[i].needs_digest != 0;
    EXPECT_TRUE(!needs_digest || image.name_leaves.keys[i].flag == 0);
    if (needs_digest) return true;
  }
  return false;
}

TEST(ProgramDigests, AreAskedForWhereTheyDecide) {
  using enum Verdict;
  EXPECT_TRUE(NeedsDigest({kDeny, kAllow, kDeny}));
  EXPECT_TRUE(NeedsDigest({kAllow, kAllow, kDeny}));
  EXPECT_TRUE(NeedsDigest({kAllow, kDeny, kAllow}));
  EXPECT_TRUE(NeedsDigest({kDeny, kAllow, kAllow}));
  EXPECT_FALSE(NeedsDigest({kDeny, kAsk, kDeny}));
  EXPECT_FALSE(NeedsDigest({kAllow, kAllow, kAllow}));
  EXPECT_FALSE(NeedsDigest({kDeny, kDeny, kDeny}));
}

TEST(ProgramDigests, ThatNoFileHasAreInNoTable) {
  using enum Verdict;
  const TableImage image = *BuildTableImage(
      RulesOfPrograms({Digits('A'), Digits('a'), "abc"}, {kDeny, kAllow, kAllow, kAllow, kDeny}),
      1);
  ASSERT_EQ(image.program_digests.keys.size(), 1U);
  EXPECT_EQ(image.program_digests.values[0], 2U);
  EXPECT_EQ(image.program_digests.keys[0].bytes[31], 0xAA);
}

TEST(ProgramDigests, AreRefusedOnlyWhereTheyMakeADifference) {
  using enum Verdict;
  const Result<void> refused =
      RefuseDigests(RulesOfPrograms({Digits('a')}, {kDeny, kAllow, kDeny}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kRefused);
  EXPECT_TRUE(refused.error().message.starts_with("FILE-DIGEST"));
  EXPECT_TRUE(RefuseDigests(RulesOfPrograms({Digits('a')}, {kAllow, kAllow, kAllow})));
}

// What is asked: a digest of the rules, another one, none.
std::optional<std::string> DigestFor(const NameRules& names, RandomRules& random) {
  const size_t chosen = random.Below(names.digests.size() + 2);
  if (chosen < names.digests.size()) return names.digests[chosen];
  if (chosen == names.digests.size()) return std::nullopt;
  return Digits('7');
}

TEST(ProgramDigests, DecideInTheKernelAsInTheRules) {
  PALYRA_REQUIRE_FEATURE(tests::Root());
  constexpr int kSets = 30;
  constexpr int kEvents = 60;
  const unsigned seed = std::random_device{}();
  RandomRules random(seed);
  int by_digest = 0;
  for (int sets = 0; sets < kSets;) {
    const RuleSet rules = random.Rules();
    const NameRules* programs = policy::FindRules(rules, NameAction::kProcessExec);
    if (programs == nullptr) continue;
    ++sets;
    Result<RuleJudge> judge = RuleJudge::Create(rules);
    ASSERT_TRUE(judge) << judge.error().message;
    for (int i = 0; i < kEvents; ++i) {
      NameEvent event = {.action = NameAction::kProcessExec, .name = ""};
      for (size_t left = random.Below(20); left > 0; --left) {
        event.name += static_cast<char>('!' + random.Below(90));
      }
      event.sha256 = DigestFor(*programs, random);
      by_digest += event.sha256 ? 1 : 0;
      const Result<policy::Ruling> answer = judge->Decide(event);
      ASSERT_TRUE(answer) << answer.error().message;
      EXPECT_EQ(*answer, policy::Decide(rules, event))
          << "seed " << seed << ' ' << event.name << '\n'
          << policy::DumpText(rules);
    }
  }
  EXPECT_GT(by_digest, kSets * kEvents / 3);
}

}  // namespace
}  // namespace palyra::engine
