// What a residual asks of a named resource: the conditions on its name that can make a difference.

#ifndef PALYRA_POLICY_COMPILE_NAME_FOOTPRINT_H_
#define PALYRA_POLICY_COMPILE_NAME_FOOTPRINT_H_

#include <optional>
#include <string>
#include <vector>

#include "policy/ast.h"
#include "policy/compile/condition_table.h"
#include "policy/compile/residual_walk.h"
#include "policy/entities.h"
#include "policy/rule_set.h"

namespace palyra::policy {

// On names for which the same of `conditions` hold, with the same flag, the residual has one
// outcome.
struct NameFootprint {
  std::vector<NameCondition> conditions;
  std::vector<std::string> digests;  // Strings that the digest of a program is compared with.
  std::optional<Finding> obstacle;   // The first reason why it cannot be lowered.
  std::vector<Finding> oddities;     // Conditions that can never hold as they were meant.
};

NameFootprint NameFootprintOf(const Expr& residual, NameAction action, const EntityStore& entities);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_NAME_FOOTPRINT_H_
