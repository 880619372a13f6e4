// The rules of one action on names: an automaton over all names that policies tell apart, and a
// ruling for each class of names and each flag.

#ifndef PALYRA_POLICY_COMPILE_NAME_TABLES_H_
#define PALYRA_POLICY_COMPILE_NAME_TABLES_H_

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <vector>

#include "policy/ast.h"
#include "policy/compile/arbiter.h"
#include "policy/compile/name_footprint.h"
#include "policy/compile/residual_walk.h"
#include "policy/entities.h"
#include "policy/evaluator.h"
#include "policy/limits.h"
#include "policy/rule_set.h"

namespace palyra::policy {

// What a policy leaves to ask of an action's events.
struct NameClaim {
  uint32_t policy;
  ExprPtr residual;
  const EntityStore* entities;  // Of its layer.
  NameFootprint footprint;      // Of the residual; without obstacle.
};

// An event on which a policy fails.
struct NameFailure {
  uint32_t policy;
  NameEvent event;
};

struct NameTables {
  NameRules rules;
  std::vector<NameFailure> failures;  // At most one of a policy.
  Automaton partition;                // Of Partitions::names.
};

struct NamesTooLarge {
  std::string message;
  std::vector<uint32_t> policies;  // That cause it, the worst first; not empty.
};

// Exact: on every name and flag the ruling is the arbiter's for the claims whose residual is true
// there. `request` is for any event of the action. The policies of `claims` ascend.
std::expected<NameTables, NamesTooLarge> BuildNameTables(NameAction action,
                                                         std::span<const NameClaim> claims,
                                                         const Request& request, Arbiter& arbiter,
                                                         const TableLimits& limits);

// The events, of any one name, that have different flags under `rules`.
std::vector<NameEvent> FlagEvents(NameAction action, const std::vector<std::string>& digests);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_NAME_TABLES_H_
