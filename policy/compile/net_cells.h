// The network's events, cut so finely that no policy and no table tells two events of a cell apart.

#ifndef PALYRA_POLICY_COMPILE_NET_CELLS_H_
#define PALYRA_POLICY_COMPILE_NET_CELLS_H_

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "policy/compile/compiler.h"
#include "policy/rule_set.h"

namespace palyra::policy {

// Calls `visit` with one event of each cell, and the policies that can be satisfied or fail there.
// `domains` is a name, or none, for each class of names that policies or `rules` tell apart. The
// cells come from the policies' own constants, by partial evaluation at each address, and from the
// boundaries of `rules`: not by the way in which the compiler makes tables.
void ForEachNetCell(const CompileInput& input, const RuleSet& rules,
                    std::span<const std::optional<std::string>> domains,
                    const std::function<void(const NetEvent&, const Candidates&)>& visit);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_NET_CELLS_H_
