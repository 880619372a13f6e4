// Random policies and events over the part of the schema that has names, for property tests.

#ifndef PALYRA_TESTS_UNIT_POLICY_RANDOM_NAMES_H_
#define PALYRA_TESTS_UNIT_POLICY_RANDOM_NAMES_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "policy/rule_set.h"

namespace palyra::policy {

class RandomNames {
 public:
  explicit RandomNames(uint64_t seed) : random_(seed) {}

  // One to six policies. Some cannot be lowered.
  std::string Policies();

  NameEvent Event();

  size_t Below(size_t bound) {
    return std::uniform_int_distribution<size_t>(0, bound - 1)(random_);
  }

 private:
  std::mt19937_64 random_;

  std::string Pick(const std::vector<std::string>& choices) {
    return choices[Below(choices.size())];
  }
  std::string Path();
  std::string Head();
  std::string Condition(int depth);
  std::string Pattern();
  std::string Atom();
};

}  // namespace palyra::policy

#endif  // PALYRA_TESTS_UNIT_POLICY_RANDOM_NAMES_H_
