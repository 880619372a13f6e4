// Which names a run can need whose names are resolved before it begins (EgressEnforcementMode).

#ifndef PALYRA_POLICY_COMPILE_PINNED_NAMES_H_
#define PALYRA_POLICY_COMPILE_PINNED_NAMES_H_

#include <cstddef>
#include <expected>
#include <string>
#include <vector>

#include "policy/compile/compiler.h"

namespace palyra::policy {

inline constexpr size_t kMaxPinnedNames = 256;

// The names that permits spell out, in canonical form, sorted, as far as all layers together let
// the run look them up (MayBeAskedFor). A domain is spelled out as itself: `resource in
// Palyra::Domain::"a.example"` gives a.example and none of its subdomains. The name of a group of
// domains gives none where it has no dot, nor do localhost and names below, which nobody is asked
// for.
//
// Where permits let the run look up names that nobody can list, there is nothing to resolve before
// the run, and the permits are refused:
//   PIN-OPEN  names by a pattern, or all but some
//   PIN-MANY  more than kMaxPinnedNames
// A pattern is none of these where other policies let through only names that are spelled out.
std::expected<std::vector<std::string>, std::vector<Diagnostic>> NamesToPin(
    const CompileOutput& output);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_PINNED_NAMES_H_
