// What becomes allowed, denied or asked when one RuleSet takes the place of another.

#ifndef PALYRA_POLICY_COMPILE_RULE_DIFF_H_
#define PALYRA_POLICY_COMPILE_RULE_DIFF_H_

#include <string>
#include <vector>

#include "policy/rule_set.h"

namespace palyra::policy {

struct RuleChange {
  Verdict before;
  Verdict after;
  std::string events;               // "net.connect tcp 443", "file.read", "unix.connect abstract".
  std::vector<std::string> places;  // Address ranges; paths, where a last * stands for any rest.
  // By which endpoints go; empty where the name does not matter. "no name", "any other name",
  // "a.example", "a.example and below", "*.a.example".
  std::vector<std::string> names = {};  // NOLINT(readability-redundant-member-init)
  // Some of what a place with a last * stands for is not in this change.
  bool exceptions = false;
  // Other places are like these: names with a loop in them, or more than could be looked at.
  bool more = false;
  bool operator==(const RuleChange&) const = default;
};

// Every event whose verdict changes is in the places of one change, unless that says `more`.
// Reasons do not count. The network first, then names, each in the order of their actions.
std::vector<RuleChange> DiffRules(const RuleSet& before, const RuleSet& after);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_RULE_DIFF_H_
