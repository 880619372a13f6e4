// The walk in the running kernel answers what policy::Automaton answers, of every text.

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/kernel_judge.h"
#include "policy/automaton_builder.h"
#include "policy/text.h"
#include "tests/support/require_feature.h"
#include "tests/unit/policy/random_patterns.h"

namespace palyra::engine {
namespace {

using policy::Automaton;
using policy::Pattern;

constexpr int kAutomata = 250;
constexpr int kTextsOfEach = 400;

Automaton Build(const std::vector<Pattern>& patterns) {
  return policy::BuildAutomaton({.patterns = patterns, .labels = {}}).value().automaton;
}

class AutomatonKernelTest : public testing::Test {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(tests::Root());
    Result<KernelJudge> judge = KernelJudge::Load();
    ASSERT_TRUE(judge) << judge.error().message;
    judge_.emplace(*std::move(judge));
  }

  uint32_t Add(const AutomatonImage& image) { return judge_->Add(image).value(); }

  KernelJudge::TextAnswer Ask(uint32_t place, std::string_view text) {
    const Result<KernelJudge::TextAnswer> answer = judge_->AskText(place, text);
    EXPECT_TRUE(answer) << answer.error().message;
    return *answer;
  }

  // Whether the kernel's state and class are the automaton's.
  testing::AssertionResult Agree(const Automaton& automaton, const AutomatonImage& image,
                                 uint32_t place, std::string_view text) {
    const KernelJudge::TextAnswer answer = Ask(place, text);
    if (answer.judged != PALYRA_JUDGED) {
      return testing::AssertionFailure() << "judged " << int{answer.judged} << " of " << text;
    }
    const uint32_t state = automaton.StateAfter(Automaton::kStart, text);
    if (image.StateAt(answer.state, place) != state) {
      return testing::AssertionFailure() << "another state after \"" << text << '"';
    }
    if (answer.text_class != automaton.ClassAt(state)) {
      return testing::AssertionFailure() << "another class of \"" << text << '"';
    }
    return testing::AssertionSuccess();
  }

  std::optional<KernelJudge> judge_;
};

TEST_F(AutomatonKernelTest, EveryWalkEndsWhereTheAutomatonsDoes) {
  policy::RandomPatterns random(1);
  for (int i = 0; i < kAutomata; ++i) {
    const Automaton automaton = Build(random.Patterns(6, 5));
    const AutomatonImage image = AutomatonImage::Pack(automaton).value();
    if (i % 20 == 0) judge_->Clear();
    const uint32_t place = Add(image);
    for (int j = 0; j < kTextsOfEach; ++j) {
      ASSERT_TRUE(Agree(automaton, image, place, random.Text(40, 5)));
    }
  }
}

TEST_F(AutomatonKernelTest, TextsOfAllLengthsUpToTheLongestAreWalkedToTheirEnd) {
  std::string text(PALYRA_TEXT_LENGTH, '/');
  for (size_t i = 0; i < text.size(); ++i) text[i] = "/abcdefghijk"[i * i % 12];
  for (const size_t length : {0U, 1U, 7U, 8U, 9U, 63U, 64U, 65U, 1000U, 4088U, 4095U, 4096U}) {
    const std::string cut = text.substr(0, length);
    const Automaton automaton = Build({{.pieces = {cut}}, {.pieces = {"", "ab"}}});
    const AutomatonImage image = AutomatonImage::Pack(automaton).value();
    judge_->Clear();
    const uint32_t place = Add(image);
    ASSERT_TRUE(Agree(automaton, image, place, cut)) << length;
    if (length == 0) continue;
    std::string other = cut;
    other.back() = 'z';
    ASSERT_TRUE(Agree(automaton, image, place, other)) << length;
    ASSERT_TRUE(Agree(automaton, image, place, cut.substr(1))) << length;
    ASSERT_NE(Ask(place, cut).text_class, Ask(place, other).text_class) << length;
  }
}

TEST_F(AutomatonKernelTest, ALongerTextIsNotWalked) {
  const uint32_t place = Add(AutomatonImage::Pack(Automaton()).value());
  EXPECT_EQ(Ask(place, std::string(4096, 'a')).judged, PALYRA_JUDGED);
  EXPECT_EQ(Ask(place, std::string(4097, 'a')).judged, PALYRA_TOO_LONG);
  EXPECT_EQ(Ask(place, std::string(100000, 'a')).judged, PALYRA_TOO_LONG);
}

TEST_F(AutomatonKernelTest, WhereNoAutomatonLiesNothingIsJudged) {
  for (const uint32_t place :
       {0U, 1U, 5000U, PALYRA_AUTOMATA_ENTRIES - 1U, 0U + PALYRA_AUTOMATA_ENTRIES, ~0U}) {
    EXPECT_EQ(Ask(place, "/a").judged, PALYRA_NO_AUTOMATON) << place;
  }
}

TEST_F(AutomatonKernelTest, TheLargestAutomatonsAreWalkedToo) {
  std::vector<Pattern> patterns;
  for (char c = 1; c < 120; ++c) {
    if (c == '/') continue;
    patterns.push_back({.pieces = {std::string(1, c) + std::string(4095, '/')}});
  }
  const Automaton automaton = Build(patterns);
  const AutomatonImage image = AutomatonImage::Pack(automaton).value();
  ASSERT_GT(image.entry_count(), PALYRA_AUTOMATA_ENTRIES / 10 * 9);
  const uint32_t place = Add(image);
  for (const Pattern& pattern : patterns) {
    ASSERT_TRUE(Agree(automaton, image, place, pattern.pieces[0]));
    ASSERT_TRUE(Agree(automaton, image, place, pattern.pieces[0].substr(0, 4095)));
  }
  const Result<uint32_t> no_room = judge_->Add(image);
  ASSERT_FALSE(no_room);
  EXPECT_EQ(no_room.error().code, ErrorCode::kExhausted);
}

TEST_F(AutomatonKernelTest, WhatIsNotUtf8IsToldApart) {
  const uint32_t place = Add(AutomatonImage::Pack(Build({{.pieces = {"/", ""}}})).value());
  const std::vector<std::string> characters = {
      "\x7F",   "\u0080",     "\u07FF",     "\u0800",     "\uD7FF",    "\uE000",
      "\uFFFF", "\U00010000", "\U0010FFFF", "\U000FFFFF", "\U00040000"};
  const std::vector<std::string> broken = {"\x80",
                                           "\xBF",
                                           "\xC0\x80",
                                           "\xC1\xBF",
                                           "\xC3",
                                           "\xC3/",
                                           "\xE0\x9F\xBF",
                                           "\xE2\x82",
                                           "\xED\xA0\x80",
                                           "\xED\xBF\xBF",
                                           "\xF0\x9D\x84",
                                           "\xF0\x8F\xBF\xBF",
                                           "\xF4\x90\x80\x80",
                                           "\xF5\x80\x80\x80",
                                           "\xFF",
                                           std::string(1, '\0')};
  // At every place within the words that are looked at together; behind a sink too.
  for (size_t before = 0; before < 70; ++before) {
    const std::string prefix = '/' + std::string(before, 'a');
    for (const std::string& character : characters) {
      ASSERT_EQ(Ask(place, prefix + character).judged, PALYRA_JUDGED) << prefix + character;
      ASSERT_EQ(Ask(place, prefix + character + "a").judged, PALYRA_JUDGED) << prefix + character;
    }
    for (const std::string& bytes : broken) {
      ASSERT_EQ(Ask(place, prefix + bytes).judged, PALYRA_NOT_UTF8) << prefix << bytes;
      ASSERT_EQ(Ask(place, prefix + bytes + "abcdefgh").judged, PALYRA_NOT_UTF8) << prefix << bytes;
    }
  }
}

TEST_F(AutomatonKernelTest, RandomBytesAreUtf8ForTheKernelWhereTheyAreForThePolicy) {
  const uint32_t place = Add(AutomatonImage::Pack(Automaton()).value());
  policy::RandomPatterns random(2);
  static constexpr std::string_view kBytes =
      "a\x7F\x80\x8F\x90\x9F\xA0\xBF\xC1\xC2\xDF\xE0\xE1\xED"
      "\xEE\xEF\xF0\xF1\xF3\xF4\xF5";
  size_t valid = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    for (size_t j = random.Below(6); j > 0; --j) text += kBytes[random.Below(kBytes.size())];
    const bool is_utf8 = !policy::FindInvalidUtf8(text).has_value();
    valid += is_utf8 ? 1 : 0;
    ASSERT_EQ(Ask(place, text).judged, is_utf8 ? PALYRA_JUDGED : PALYRA_NOT_UTF8) << text;
  }
  EXPECT_GT(valid, 1000U);
}

// The comparison above would see it.
TEST_F(AutomatonKernelTest, OneWrongEntryMakesSomeWalkDiffer) {
  const Automaton automaton = Build({{.pieces = {"/", "a"}}, {.pieces = {"/b"}}});
  const AutomatonImage image = AutomatonImage::Pack(automaton).value();
  const uint32_t place = Add(image);
  std::vector<std::string> texts = {""};
  for (size_t i = 0; texts[i].size() < 4; ++i) {
    for (const char c : {'/', 'a', 'b', 'x'}) texts.push_back(texts[i] + c);
  }
  size_t changed = 0;
  for (size_t i = PALYRA_AUTOMATON_HEADER; i < image.entry_count(); ++i) {
    palyra_entry& entry = judge_->arena()[place + i];
    const palyra_entry right = entry;
    if (right.owner == PALYRA_FREE) continue;
    ++changed;
    entry.next ^= PALYRA_SINK;
    entry.owner ^= 1;
    bool all_agree = true;
    for (const std::string& text : texts) {
      all_agree = all_agree && Agree(automaton, image, place, text);
    }
    entry = right;
    EXPECT_FALSE(all_agree) << i;
  }
  EXPECT_EQ(changed, automaton.state_count() + automaton.edge_count());
}

}  // namespace
}  // namespace palyra::engine
