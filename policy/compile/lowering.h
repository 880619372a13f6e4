// Lowering: a residual as a function of (address, protocol, port) that holds its truth exactly, or
// the reason why there is none.

#ifndef PALYRA_POLICY_COMPILE_LOWERING_H_
#define PALYRA_POLICY_COMPILE_LOWERING_H_

#include <expected>
#include <vector>

#include "policy/compile/atom.h"
#include "policy/compile/truth_map.h"

namespace palyra::policy {

// The connectives around atoms are computed on step functions; the atoms come from `probe`. What is
// odd about atoms goes to `oddities`. An obstacle behind a part that already decides is not reached
// and does not count.
std::expected<EndpointTruth, Finding> Lower(const Expr& residual, AtomProbe& probe,
                                            std::vector<Finding>& oddities);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_LOWERING_H_
