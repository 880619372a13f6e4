// Which kinds of request the scope of a policy can hold for.

#ifndef PALYRA_POLICY_VALIDATE_SCOPE_CHECK_H_
#define PALYRA_POLICY_VALIDATE_SCOPE_CHECK_H_

#include <cstdint>
#include <vector>

#include "policy/ast.h"
#include "policy/schema/schema.h"

namespace palyra::policy {

enum class ScopeFit : uint8_t {
  kNever,
  kUnknown,  // It names something that the schema does not have.
  kMaybe,
};

// For principals, or resources, of this type. A slot can stand for whatever fits.
ScopeFit FitOf(const Scope& scope, const EntityTypeInfo& type, const Schema& schema);

// For requests of this action. Of a list, one action is enough.
ScopeFit FitOf(const Scope& scope, const ActionInfo& action, const Schema& schema);

// Whether a list of actions is one that no set can be made of in strict mode: it is empty, or its
// actions are of several types. Such a list neither holds nor fails.
bool IsIllTyped(const Scope& action_scope, const Schema& schema);

// Whether there is an action that the scope can hold for, with a principal and a resource that the
// action applies to.
bool CanApply(const Policy& policy, const Schema& schema);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_VALIDATE_SCOPE_CHECK_H_
