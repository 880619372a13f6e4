// Where in the address space tables may change their mind.

#ifndef PALYRA_POLICY_COMPILE_BOUNDARIES_H_
#define PALYRA_POLICY_COMPILE_BOUNDARIES_H_

#include <vector>

#include "policy/compile/truth_map.h"
#include "policy/rule_set.h"

namespace palyra::policy {

// The first point of each run of addresses that `a` does not tell apart, nor `b`, nor their family.
// Ascending, beginning at 0.
std::vector<Point> Boundaries(const NetTablesView& a, const NetTablesView& b);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_BOUNDARIES_H_
