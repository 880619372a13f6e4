// Random RuleSets that keep what policy/rule_set.h promises, and questions that hit their edges.

#ifndef PALYRA_TESTS_UNIT_ENGINE_RANDOM_RULES_H_
#define PALYRA_TESTS_UNIT_ENGINE_RANDOM_RULES_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "policy/rule_set.h"

namespace palyra::engine {

class RandomRules {
 public:
  explicit RandomRules(uint64_t seed) : random_(seed), random_of_names_(seed) {}

  // Up to 12 classes of up to 60 spans, up to 40 prefixes, nested and beside each
  // other, half of them whole addresses; name rules of up to 5 actions.
  policy::RuleSet Rules();

  // Mostly at, or just beside, an edge of a prefix and of a span of `rules`.
  policy::NetEvent Event(const policy::RuleSet& rules);

  size_t Below(size_t bound) {
    return std::uniform_int_distribution<size_t>(0, bound - 1)(random_);
  }

 private:
  std::mt19937_64 random_;
  // What is drawn of the network is the same with and without names.
  std::mt19937_64 random_of_names_;

  uint16_t Port();
  policy::AddressClass Class(uint32_t reason_count);
  policy::AddressPrefix Prefix(const std::vector<policy::AddressPrefix>& others,
                               size_t class_count);
  policy::Automaton Automaton(uint32_t class_count);
  void AddDigests(policy::NameRules& rules);
  std::vector<policy::NameRules> Names(uint32_t reason_count);
};

// Cedar's and the kernel's one form: the unspecified address is loopback, mapped IPv6 is IPv4.
policy::NetEvent Canonical(policy::NetEvent event);

}  // namespace palyra::engine

#endif  // PALYRA_TESTS_UNIT_ENGINE_RANDOM_RULES_H_
