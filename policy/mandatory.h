// The mandatory layer: what every run is denied, whatever the other layers say.

#ifndef PALYRA_POLICY_MANDATORY_H_
#define PALYRA_POLICY_MANDATORY_H_

#include <vector>

#include "policy/policy_set.h"
#include "policy/source.h"

namespace palyra::policy {

struct MandatoryParts {
  bool is_offline = false;  // EgressEnforcementMode::kNone.
  bool with_files = false;  // Files and programs are held to policies.
};

// The texts of the layer. Those of files name the places of policy/compile/places.h.
std::vector<SourcePtr> MandatorySources(MandatoryParts parts);

// policy/mandatory.cedar as it was at build time, parsed. One permit of everything, and the
// forbids.
const PolicySet& MandatoryPolicies();

// Those, and policy/offline.cedar, which forbids every action net.*: the mandatory layer of a run
// that is offline (EgressEnforcementMode::kNone).
const PolicySet& OfflinePolicies();

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_MANDATORY_H_
