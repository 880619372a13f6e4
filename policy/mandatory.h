// The mandatory layer: what every run is denied, whatever the other layers say.

#ifndef PALYRA_POLICY_MANDATORY_H_
#define PALYRA_POLICY_MANDATORY_H_

#include "policy/policy_set.h"

namespace palyra::policy {

// policy/mandatory.cedar as it was at build time, parsed. One permit of everything, and the
// forbids.
const PolicySet& MandatoryPolicies();

// Those, and policy/offline.cedar, which forbids every action net.*: the mandatory layer of a run
// that is offline (EgressEnforcementMode::kNone).
const PolicySet& OfflinePolicies();

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_MANDATORY_H_
