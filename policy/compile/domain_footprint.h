// What a residual asks of the name by which an endpoint is known.

#ifndef PALYRA_POLICY_COMPILE_DOMAIN_FOOTPRINT_H_
#define PALYRA_POLICY_COMPILE_DOMAIN_FOOTPRINT_H_

#include <optional>
#include <string>
#include <vector>

#include "policy/ast.h"
#include "policy/compile/condition_table.h"
#include "policy/compile/residual_walk.h"
#include "policy/entities.h"

namespace palyra::policy {

// For names of which the same of `conditions` hold, WithDomain leaves residuals that say the same.
struct DomainFootprint {
  std::vector<NameCondition> conditions;
  std::optional<Finding> obstacle;  // The first reason why it cannot be lowered.
  std::vector<Finding> oddities;    // Conditions that can never hold as they were meant.
};

// Whether the residual depends on `resource.domain`, on its presence, or on the domains that the
// resource is in.
bool AsksDomain(const Expr& residual);

DomainFootprint DomainFootprintOf(const Expr& residual, const EntityStore& entities);

// The residual of endpoints of this name, or of none, in which nothing asks for the name any more.
ExprPtr WithDomain(const ExprPtr& residual, const std::optional<std::string>& domain,
                   const EntityStore& entities);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_DOMAIN_FOOTPRINT_H_
