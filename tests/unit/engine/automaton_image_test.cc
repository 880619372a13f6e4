#include "engine/automaton_image.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "bench/path_rules.h"
#include "policy/automaton_builder.h"
#include "tests/unit/engine/random_rules.h"
#include "tests/unit/policy/random_patterns.h"

namespace palyra::engine {
namespace {

using policy::Automaton;
using policy::Pattern;
using policy::RuleSet;

Automaton Build(const std::vector<Pattern>& patterns) {
  return policy::BuildAutomaton({.patterns = patterns, .labels = {}}).value().automaton;
}

// As bpf/automaton.h walks, and no less careful about where it looks.
class Walker {
 public:
  Walker(const AutomatonImage& image, uint32_t place)
      : image_(image), place_(place), arena_(place + image.entry_count()) {
    // What a former automaton may have left.
    for (palyra_entry& entry : arena_) entry = {.owner = ~0U, .next = ~0U};
    image.WriteTo(arena_, place);
    std::memcpy(&header_, &arena_[place], sizeof(header_));
  }

  [[nodiscard]] uint32_t StateAfter(std::string_view text) const {
    uint32_t state = header_.start;
    for (const char c : text) {
      const size_t entry = EntryOf(state);
      const size_t edge = entry + header_.byte_classes[static_cast<unsigned char>(c)];
      state = arena_.at(edge).owner == state ? arena_.at(edge).next : arena_.at(entry).next;
    }
    return state;
  }

  // Of the automaton.
  [[nodiscard]] uint32_t NumberOf(uint32_t state) const {
    return image_.StateAt(state & ~PALYRA_SINK, place_);
  }
  [[nodiscard]] uint32_t ClassAt(uint32_t state) const {
    return arena_.at(EntryOf(state)).owner & ~PALYRA_HEAD;
  }
  [[nodiscard]] const palyra_automaton& header() const { return header_; }

 private:
  static size_t EntryOf(uint32_t state) { return (state & ~PALYRA_SINK) / sizeof(palyra_entry); }

  const AutomatonImage& image_;
  uint32_t place_;
  std::vector<palyra_entry> arena_;
  palyra_automaton header_ = {};
};

TEST(AutomatonImageTest, SaysWhatTheAutomatonSaysWhereverItLies) {
  policy::RandomPatterns random(1);
  for (int i = 0; i < 500; ++i) {
    const Automaton automaton = Build(random.Patterns(6, 5));
    const AutomatonImage image = AutomatonImage::Pack(automaton).value();
    const Walker walker(image, 1 + static_cast<uint32_t>(random.Below(1000)));
    EXPECT_EQ(walker.header().entry_count, image.entry_count());
    for (int j = 0; j < 100; ++j) {
      const std::string text = random.Text(12, 5);
      const uint32_t state = walker.StateAfter(text);
      const uint32_t expected = automaton.StateAfter(Automaton::kStart, text);
      ASSERT_EQ(walker.NumberOf(state), expected) << text;
      ASSERT_EQ(walker.ClassAt(state), automaton.ClassAt(expected)) << text;
      ASSERT_EQ((state & PALYRA_SINK) != 0, automaton.IsSink(expected)) << text;
    }
  }
}

TEST(AutomatonImageTest, AThousandPathRulesTakeAtMostAMegabyte) {
  const Automaton automaton = Build(bench::PathRules(1000));
  const AutomatonImage image = AutomatonImage::Pack(automaton).value();
  EXPECT_LE(image.entry_count() * sizeof(palyra_entry), size_t{1} << 20);
  // States and edges lie close.
  EXPECT_LE(image.entry_count(), (automaton.state_count() + automaton.edge_count()) * 5 / 4);
}

TEST(AutomatonImageTest, WhatTheKernelCannotHoldIsRefused) {
  const Result<AutomatonImage> image =
      AutomatonImage::Pack(Build({{.pieces = {std::string(PALYRA_AUTOMATA_ENTRIES / 2, 'x')}}}));
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, ErrorCode::kExhausted);
}

TEST(AutomatonImageTest, IsReadBackAsItWasWritten) {
  RandomRules random(5);
  for (int i = 0; i < 200; ++i) {
    const RuleSet rules = random.Rules();
    for (const policy::NameRules& names : rules.names) {
      const Result<AutomatonImage> image = AutomatonImage::Pack(names.automaton);
      ASSERT_TRUE(image);
      const auto place = static_cast<uint32_t>(1 + random.Below(100));
      const auto count = static_cast<uint32_t>(image->entry_count());
      std::vector<palyra_entry> arena(place + count + random.Below(3));
      image->WriteTo(arena, place);
      const Result<AutomatonImage> read = AutomatonImage::ReadFrom(arena, place, count);
      ASSERT_TRUE(read);
      EXPECT_TRUE(*read == *image);
      EXPECT_EQ(read->Unpack().value(), names.automaton);
      EXPECT_FALSE(AutomatonImage::ReadFrom(arena, place, count + 3)) << "longer than the memory";
      EXPECT_FALSE(AutomatonImage::ReadFrom(arena, 0, count));
    }
  }
}

// Whatever lies there: an answer or an error, never a look outside of it.
TEST(AutomatonImageTest, WhatIsDamagedIsNotUnpacked) {
  RandomRules random(6);
  const policy::Automaton automaton = Build({{.pieces = {"/etc/", ""}}, {.pieces = {"/tmp/x"}}});
  const Result<AutomatonImage> image = AutomatonImage::Pack(automaton);
  ASSERT_TRUE(image);
  const auto count = static_cast<uint32_t>(image->entry_count());
  for (int i = 0; i < 2000; ++i) {
    std::vector<palyra_entry> arena(1 + count);
    image->WriteTo(arena, 1);
    palyra_entry& entry = arena[1 + random.Below(count)];
    (random.Below(2) == 0 ? entry.owner : entry.next) ^= 1U << random.Below(32);
    const Result<AutomatonImage> read = AutomatonImage::ReadFrom(arena, 1, count);
    if (!read) continue;
    EXPECT_FALSE(*read == *image);
    (void)read->Unpack();
  }
}

}  // namespace
}  // namespace palyra::engine
