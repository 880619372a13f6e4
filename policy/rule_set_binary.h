// A RuleSet as bytes, to be kept and read again.
//
// A header that names the version; then prefixes, classes, rules of domains, rules of names,
// reasons, protected names, and until when they are valid. Each list is its length and its
// members; integers have a fixed width and are little-endian; texts have their length before them.
// Equal RuleSets have equal bytes, and Digest(rules) is their SHA-256.

#ifndef PALYRA_POLICY_RULE_SET_BINARY_H_
#define PALYRA_POLICY_RULE_SET_BINARY_H_

#include <string>
#include <string_view>

#include "base/result.h"
#include "policy/rule_set.h"

namespace palyra::policy {

std::string WriteRules(const RuleSet& rules);

// The RuleSet whose bytes these are. kInvalidArgument for anything else: another version, bytes
// missing or too many, and whatever a RuleSet never has, such as an index that leads nowhere, lists
// out of order, or spans that overlap. Memory is bounded by a small multiple of the input. That
// automata have the fewest states is not looked at; what they decide does not depend on it.
Result<RuleSet> ReadRules(std::string_view bytes);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_RULE_SET_BINARY_H_
