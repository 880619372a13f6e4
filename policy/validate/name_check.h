// The names in a policy, wherever they stand.

#ifndef PALYRA_POLICY_VALIDATE_NAME_CHECK_H_
#define PALYRA_POLICY_VALIDATE_NAME_CHECK_H_

#include "policy/policy_set.h"
#include "policy/schema/schema.h"
#include "policy/validate/findings.h"

namespace palyra::policy {

// Reports entity types and actions that the schema does not have, and ids that an enumerated type
// does not list; in parts that are never reached, too.
void CheckNames(const Policy& policy, const Schema& schema, Findings& findings);

// The same for what stands for the slots of a linked policy.
void CheckSlotValues(const PlacedPolicy& policy, const Schema& schema, Findings& findings);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_VALIDATE_NAME_CHECK_H_
