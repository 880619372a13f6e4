// The names on which two tables of one action differ, as patterns that people can read.

#ifndef PALYRA_POLICY_COMPILE_NAME_DIFF_H_
#define PALYRA_POLICY_COMPILE_NAME_DIFF_H_

#include <vector>

#include "policy/compile/rule_diff.h"
#include "policy/rule_set.h"

namespace palyra::policy {

// Appends a change for each pair of verdicts and each flag. Both are of the same action.
void AppendNameChanges(const NameRules& before, const NameRules& after,
                       std::vector<RuleChange>& changes);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_NAME_DIFF_H_
