// The mandatory layer: what every run is denied, whatever the other layers say.

#ifndef PALYRA_POLICY_MANDATORY_H_
#define PALYRA_POLICY_MANDATORY_H_

#include <vector>

#include "policy/policy_set.h"
#include "policy/source.h"

namespace palyra::policy {

// What is built in about files and programs.
enum class FileParts {
  kNone,      // Nothing.
  kLandlock,  // What can be held without BPF LSM.
  kLsm,       // All of it.
};

struct MandatoryParts {
  bool is_offline = false;  // EgressEnforcementMode::kNone.
  FileParts files = FileParts::kNone;
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
