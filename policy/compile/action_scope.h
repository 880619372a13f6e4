// Which events the head of a policy is about, and refusal of heads that are not enforced: a policy
// that is loaded is held.

#ifndef PALYRA_POLICY_COMPILE_ACTION_SCOPE_H_
#define PALYRA_POLICY_COMPILE_ACTION_SCOPE_H_

#include <cstdint>
#include <expected>
#include <optional>
#include <vector>

#include "policy/ast.h"
#include "policy/compile/compiler.h"
#include "policy/compile/residual_walk.h"
#include "policy/entities.h"

namespace palyra::policy {

struct ActionScope {
  uint8_t net_actions = 0;        // Bit set over NetAction.
  uint16_t name_actions = 0;      // Bit set over NameAction; none where names are not covered.
  std::vector<Finding> oddities;  // Parts of the head that are not enforced or never match.
};

// The hierarchy of actions comes from `entities`. Refused with LOW-ACTION: an action that is
// unknown to Palyra and to `entities`; and under Coverage::kNetwork a head that names no network
// action, and a resource of another type under a head that does not name an action.
std::expected<ActionScope, Finding> ActionScopeOf(const Policy& policy, const EntityStore& entities,
                                                  Coverage coverage);

// What LOW-VERIFY says of @verify on this policy. A connection is verified by the first bytes that
// the client sends over it: it takes a permit of net.connect alone, says which bytes, and is not
// asked about besides.
std::optional<Finding> MisuseOfVerify(const Policy& policy, const ActionScope& scope);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_ACTION_SCOPE_H_
