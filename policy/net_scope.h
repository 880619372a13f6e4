// Which network actions the head of a policy names, and refusal of heads that this version does not
// enforce: a policy that is loaded is held.

#ifndef PALYRA_POLICY_NET_SCOPE_H_
#define PALYRA_POLICY_NET_SCOPE_H_

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "policy/ast.h"
#include "policy/atom.h"
#include "policy/entities.h"

namespace palyra::policy {

struct NetScope {
  uint8_t actions = 0;            // Bit set over NetAction.
  std::vector<Finding> oddities;  // Parts of the head that are not enforced or never match.
};

// The hierarchy of actions comes from `entities`. Refused with LOW-ACTION: an action that is
// unknown to Palyra and to `entities`, a head that names no enforced action, and a resource of
// another type under a head that does not name an action.
std::expected<NetScope, Finding> NetScopeOf(const Policy& policy, const EntityStore& entities);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_NET_SCOPE_H_
