// Automata of random patterns against what they stand for: policy::Matches says which patterns a
// text matches, and an automaton of sets of places in the patterns, minimised by E. F. Moore's
// algorithm, says how few states do.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/automaton.h"
#include "policy/automaton_builder.h"
#include "policy/automaton_witness.h"
#include "policy/text.h"
#include "tests/unit/policy/random_patterns.h"

namespace palyra::policy {
namespace {

// Those of RandomPatterns' letters, and the one that no pattern has.
constexpr std::string_view kBytes = "ab/\xC3\xA9\xE2\x82\xACx";

constexpr size_t kStars = 1000;

std::string Show(const std::vector<Pattern>& patterns, const Pattern& universe) {
  std::string text;
  const auto add = [&](const Pattern& pattern) {
    for (size_t i = 0; i < pattern.pieces.size(); ++i)
      text += (i > 0 ? "*" : "") + pattern.pieces[i];
    text += "  ";
  };
  for (const Pattern& pattern : patterns) add(pattern);
  text += "in ";
  add(universe);
  return text;
}

// Nothing for what is outside the universe.
using Answer = std::optional<std::vector<uint32_t>>;

Answer AnswerOf(const std::vector<Pattern>& patterns, const std::vector<uint32_t>& labels,
                const Pattern& universe, std::string_view text) {
  if (!Matches(universe, text)) return std::nullopt;
  std::set<uint32_t> found;
  for (size_t i = 0; i < patterns.size(); ++i) {
    if (Matches(patterns[i], text)) found.insert(labels[i]);
  }
  return std::vector<uint32_t>(found.begin(), found.end());
}

Answer AnswerOf(const BuiltAutomaton& built, std::string_view text) {
  const uint32_t text_class = built.automaton.ClassOf(text);
  if (text_class == built.outside) return std::nullopt;
  return built.classes.at(text_class).labels;
}

// Which patterns match, told by the places in all of them that the text so far may have reached.
class PlaceSets {
 public:
  using Places = std::set<std::pair<size_t, size_t>>;  // Pattern, index of its next token.

  PlaceSets(std::vector<Pattern> patterns, const std::vector<uint32_t>& labels,
            const Pattern& universe)
      : labels_(labels) {
    patterns.push_back(universe);
    for (const Pattern& pattern : patterns) {
      std::vector<size_t>& tokens = tokens_.emplace_back();
      for (size_t i = 0; i < pattern.pieces.size(); ++i) {
        if (i > 0) tokens.push_back(kStars);
        for (const char c : pattern.pieces[i]) tokens.push_back(static_cast<unsigned char>(c));
      }
    }
    Places start;
    for (size_t i = 0; i < tokens_.size(); ++i) Add(start, i, 0);
    Explore(start);
  }

  // The states of the smallest automaton; `merged` says which answers count as one.
  template <typename Merge>
  size_t FewestStates(Merge merged) const {
    std::vector<size_t> block(rows_.size());
    std::map<decltype(merged(answers_[0])), size_t> first;
    for (size_t i = 0; i < block.size(); ++i) {
      block[i] = first.try_emplace(merged(answers_[i]), first.size()).first->second;
    }
    size_t count = first.size();
    while (true) {
      std::map<std::pair<size_t, std::vector<size_t>>, size_t> split;
      std::vector<size_t> next(block.size());
      for (size_t i = 0; i < block.size(); ++i) {
        std::vector<size_t> row;
        row.reserve(rows_[i].size());
        for (const size_t to : rows_[i]) row.push_back(block[to]);
        next[i] = split.try_emplace({block[i], row}, split.size()).first->second;
      }
      if (split.size() == count) return count;
      count = split.size();
      block = next;
    }
  }

 private:
  void Add(Places& places, size_t pattern, size_t token) const {
    places.emplace(pattern, token);
    const std::vector<size_t>& tokens = tokens_[pattern];
    if (token < tokens.size() && tokens[token] == kStars) Add(places, pattern, token + 1);
  }

  void Explore(const Places& start) {
    std::map<Places, size_t> number = {{start, 0}};
    std::vector<Places> queue = {start};
    for (size_t i = 0; i < queue.size(); ++i) {
      answers_.push_back(AnswerAt(queue[i]));
      std::vector<size_t>& row = rows_.emplace_back();
      for (const char c : kBytes) {
        Places next;
        for (const auto& [pattern, token] : queue[i]) {
          const std::vector<size_t>& tokens = tokens_[pattern];
          if (token == tokens.size()) continue;
          if (tokens[token] == kStars) Add(next, pattern, token);
          if (tokens[token] == static_cast<unsigned char>(c)) Add(next, pattern, token + 1);
        }
        const auto [found, is_new] = number.try_emplace(next, queue.size());
        if (is_new) queue.push_back(next);
        row.push_back(found->second);
      }
    }
  }

  [[nodiscard]] Answer AnswerAt(const Places& places) const {
    const auto matches = [&](size_t pattern) {
      return places.contains({pattern, tokens_[pattern].size()});
    };
    if (!matches(tokens_.size() - 1)) return std::nullopt;
    std::set<uint32_t> found;
    for (size_t i = 0; i + 1 < tokens_.size(); ++i) {
      if (matches(i)) found.insert(labels_[i]);
    }
    return std::vector<uint32_t>(found.begin(), found.end());
  }

  std::vector<std::vector<size_t>> tokens_;
  std::vector<uint32_t> labels_;
  std::vector<std::vector<size_t>> rows_;  // By state and byte of kBytes.
  std::vector<Answer> answers_;
};

struct Case {
  std::vector<Pattern> patterns;
  std::vector<uint32_t> labels;
  Pattern universe;
  BuiltAutomaton built;
};

Case RandomCase(RandomPatterns& random) {
  const size_t letters = 2 + random.Below(4);
  Case made{.patterns = random.Patterns(4, letters),
            .labels = {},
            .universe = {.pieces = {"", ""}},
            .built = {}};
  const bool has_labels = random.Below(3) == 0;
  for (uint32_t i = 0; i < made.patterns.size(); ++i) {
    made.labels.push_back(has_labels ? static_cast<uint32_t>(random.Below(3)) : i);
  }
  if (random.Below(2) == 0) made.universe = random.RandomPattern(letters);
  made.built =
      BuildAutomaton({.patterns = made.patterns, .labels = made.labels, .universe = made.universe})
          .value();
  return made;
}

TEST(AutomatonPropertyTest, ATextIsInTheClassOfThePatternsThatItMatches) {
  RandomPatterns random(1);
  for (int i = 0; i < 3000; ++i) {
    const Case made = RandomCase(random);
    for (int j = 0; j < 100; ++j) {
      const std::string text = random.Text(10, 5);
      ASSERT_EQ(AnswerOf(made.built, text),
                AnswerOf(made.patterns, made.labels, made.universe, text))
          << '"' << text << "\" of " << Show(made.patterns, made.universe);
    }
  }
}

TEST(AutomatonPropertyTest, NoAutomatonHasFewerStates) {
  RandomPatterns random(2);
  for (int i = 0; i < 3000; ++i) {
    const Case made = RandomCase(random);
    const PlaceSets places(made.patterns, made.labels, made.universe);
    ASSERT_EQ(made.built.automaton.state_count(), places.FewestStates([](const Answer& answer) {
      return answer;
    })) << Show(made.patterns, made.universe);

    // As a compiler merges classes: whether any pattern matches.
    std::vector<uint32_t> new_class;
    for (const StringClass& text_class : made.built.classes) {
      new_class.push_back(text_class.labels.empty() ? 0 : 1);
    }
    const Automaton merged = made.built.automaton.Relabel(new_class);
    ASSERT_EQ(merged.state_count(), places.FewestStates([](const Answer& answer) {
      return answer && !answer->empty();
    })) << Show(made.patterns, made.universe);
    for (int j = 0; j < 20; ++j) {
      const std::string text = random.Text(10, 5);
      ASSERT_EQ(merged.ClassOf(text), new_class[made.built.automaton.ClassOf(text)]);
    }
  }
}

TEST(AutomatonPropertyTest, TheOrderAndTheWritingOfPatternsDoNotMatter) {
  RandomPatterns random(3);
  for (int i = 0; i < 2000; ++i) {
    const Case made = RandomCase(random);
    std::vector<size_t> order(made.patterns.size());
    for (size_t j = 0; j < order.size(); ++j) order[j] = j;
    random.Shuffle(order);
    std::vector<Pattern> patterns;
    std::vector<uint32_t> labels;
    for (const size_t from : order) {
      patterns.push_back(made.patterns[from]);
      labels.push_back(made.labels[from]);
      // "**" is "*", and the same again is nothing new.
      std::vector<std::string>& pieces = patterns.back().pieces;
      if (pieces.size() > 1) pieces.insert(pieces.begin() + 1, random.Below(3), "");
      if (random.Below(2) == 0) {
        patterns.push_back(made.patterns[from]);
        labels.push_back(made.labels[from]);
      }
    }
    const BuiltAutomaton again =
        BuildAutomaton({.patterns = patterns, .labels = labels, .universe = made.universe}).value();
    ASSERT_EQ(again.automaton, made.built.automaton) << Show(made.patterns, made.universe);
    for (size_t c = 0; c < again.classes.size(); ++c) {
      ASSERT_EQ(again.classes[c].labels, made.built.classes[c].labels);
    }
  }
}

TEST(AutomatonPropertyTest, RepresentativesAreShortestTextsOfTheirClasses) {
  RandomPatterns random(4);
  for (int i = 0; i < 2000; ++i) {
    const Case made = RandomCase(random);
    const Automaton& automaton = made.built.automaton;
    std::vector<size_t> shortest;
    for (size_t c = 0; c < made.built.classes.size(); ++c) {
      const std::string& text = made.built.classes[c].representative;
      ASSERT_EQ(automaton.ClassOf(text), c) << Show(made.patterns, made.universe);
      ASSERT_EQ(FindInvalidUtf8(text), std::nullopt);
      ASSERT_EQ(text.find('\0'), std::string::npos);
      shortest.push_back(text.size());
    }
    for (int j = 0; j < 200; ++j) {
      const std::string text = random.Text(5, 5);
      ASSERT_GE(text.size(), shortest[automaton.ClassOf(text)]) << text;
    }
  }
}

TEST(AutomatonPropertyTest, TheProductHasThePairsThatTextsHave) {
  RandomPatterns random(5);
  for (int i = 0; i < 1000; ++i) {
    const Automaton a = RandomCase(random).built.automaton;
    const Automaton b = RandomCase(random).built.automaton;
    const std::vector<ClassPair> pairs = ProductClasses(a, b, 1U << 20U).value();
    std::map<std::pair<uint32_t, uint32_t>, size_t> shortest;
    for (const ClassPair& pair : pairs) {
      ASSERT_EQ(a.ClassOf(pair.representative), pair.a);
      ASSERT_EQ(b.ClassOf(pair.representative), pair.b);
      shortest[{pair.a, pair.b}] = pair.representative.size();
    }
    for (int j = 0; j < 200; ++j) {
      const std::string text = random.Text(8, 5);
      const auto found = shortest.find({a.ClassOf(text), b.ClassOf(text)});
      ASSERT_NE(found, shortest.end()) << text;
      ASSERT_GE(text.size(), found->second) << text;
    }
  }
}

}  // namespace
}  // namespace palyra::policy
