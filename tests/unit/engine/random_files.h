// Random policies on files and programs, and random trees for them, for property tests.

#ifndef PALYRA_TESTS_UNIT_ENGINE_RANDOM_FILES_H_
#define PALYRA_TESTS_UNIT_ENGINE_RANDOM_FILES_H_

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/engine/view_model.h"

namespace palyra::engine {

class RandomFiles {
 public:
  // All paths are below `root`, which is no "/" at its end; with one, no policy has a pattern that
  // begins with a star.
  explicit RandomFiles(uint64_t seed, std::string root = "")
      : random_(seed), root_(std::move(root)) {}

  size_t Below(size_t bound) {
    return std::uniform_int_distribution<size_t>(0, bound - 1)(random_);
  }

  FakeTree Tree();
  // Some cannot be lowered.
  std::string Policies();

 private:
  std::mt19937_64 random_;
  std::string root_;

  std::string Pick(const std::vector<std::string>& choices) {
    return choices[Below(choices.size())];
  }
  std::string Path(size_t deepest);
  std::string Policy(const std::string& effect);
};

}  // namespace palyra::engine

#endif  // PALYRA_TESTS_UNIT_ENGINE_RANDOM_FILES_H_
