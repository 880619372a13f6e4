// Random `like` patterns and texts over few letters, so that they meet.

#ifndef PALYRA_TESTS_UNIT_POLICY_RANDOM_PATTERNS_H_
#define PALYRA_TESTS_UNIT_POLICY_RANDOM_PATTERNS_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "policy/ast.h"

namespace palyra::policy {

class RandomPatterns {
 public:
  explicit RandomPatterns(uint64_t seed) : random_(seed) {}

  size_t Below(size_t bound) {
    return std::uniform_int_distribution<size_t>(0, bound - 1)(random_);
  }

  // Up to `most` letters, of the first `letters` and of one that no pattern has.
  std::string Text(size_t most, size_t letters) {
    std::string text;
    for (size_t i = Below(most + 1); i > 0; --i) {
      const size_t letter = Below(letters + 1);
      text += letter == letters ? "x" : kLetters.at(letter);
    }
    return text;
  }

  Pattern RandomPattern(size_t letters) {
    Pattern pattern{.pieces = {""}};
    for (size_t i = Below(6); i > 0; --i) {
      if (Below(3) == 0) {
        pattern.pieces.emplace_back();
      } else {
        pattern.pieces.back() += kLetters.at(Below(letters));
      }
    }
    return pattern;
  }

  std::vector<Pattern> Patterns(size_t most, size_t letters) {
    std::vector<Pattern> patterns(Below(most + 1));
    for (Pattern& pattern : patterns) pattern = RandomPattern(letters);
    return patterns;
  }

  void Shuffle(std::vector<size_t>& order) { std::ranges::shuffle(order, random_); }

 private:
  // The last ones have two and three bytes.
  static constexpr std::array<std::string_view, 5> kLetters = {"a", "b", "/", "é", "€"};

  std::mt19937_64 random_;
};

}  // namespace palyra::policy

#endif  // PALYRA_TESTS_UNIT_POLICY_RANDOM_PATTERNS_H_
