// Random policies and events over the network part of the schema, for property tests.

#ifndef PALYRA_TESTS_UNIT_POLICY_RANDOM_POLICIES_H_
#define PALYRA_TESTS_UNIT_POLICY_RANDOM_POLICIES_H_

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "policy/rule_set.h"

namespace palyra::policy {

class RandomPolicies {
 public:
  explicit RandomPolicies(uint64_t seed) : random_(seed) {}

  // 1 to `max_count` policies. Most of what they say can be lowered; with `any`, some cannot. Ports
  // go through arithmetic in one text of twenty, because all of them are tried then.
  std::string Policies(int max_count, bool any);

  // Half of the time at, or just beside, a constant that policies draw from; often with a name.
  NetEvent Event();

  size_t Below(size_t bound) {
    return std::uniform_int_distribution<size_t>(0, bound - 1)(random_);
  }

 private:
  std::mt19937_64 random_;
  bool calculates_ = false;

  bool Chance(int percent) { return Below(100) < static_cast<size_t>(percent); }
  std::string Pick(const std::vector<std::string>& choices) {
    return choices[Below(choices.size())];
  }

  std::string Policy(bool any);
  std::string Head();
  std::string Condition(int depth, bool any);
  std::string AddressAtom();
  std::string PortAtom();
  std::string PortNumber();
  std::string ProtocolAtom();
  std::string DomainAtom();
  std::string KnownAtom();
  std::string OddAtom();
};

}  // namespace palyra::policy

#endif  // PALYRA_TESTS_UNIT_POLICY_RANDOM_POLICIES_H_
