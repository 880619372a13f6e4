// Which actions on names the policies of a run speak of. A run whose policies say nothing of files,
// programs and processes is not held to rules about them. Once they name one such action, all are
// judged, and what no policy permits is denied.

#ifndef PALYRA_POLICY_COMPILE_SPOKEN_NAMES_H_
#define PALYRA_POLICY_COMPILE_SPOKEN_NAMES_H_

#include <cstdint>
#include <span>

#include "policy/compile/compiler.h"

namespace palyra::policy {

// Bit set over NameAction: what the rules of a run decide. A head that names neither an action nor
// a type of resource speaks of whatever is judged anyway, and the mandatory layer likewise. Whether
// a policy is about this run's principal makes no difference, nor do its conditions.
uint16_t JudgedNames(std::span<const LayerInput> layers);

// The least that covers them.
Coverage CoverageFor(uint16_t judged);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_SPOKEN_NAMES_H_
