// Minimisation of automata.
//
// States that no cycle leads to, which is most of a list of paths, are merged from their ends
// backwards. The rest is partitioned until it is stable, every split leaving its largest part in
// place, after J. Hopcroft, "An n log n algorithm for minimizing states in a finite automaton",
// 1971, in the form of Th. Wissmann, U. Dorsch, S. Milius, L. Schröder, "Efficient and Modular
// Coalgebraic Partition Refinement", LMCS 2020: states are compared by their whole rows.

#ifndef PALYRA_POLICY_MINIMISE_H_
#define PALYRA_POLICY_MINIMISE_H_

#include <cstdint>
#include <vector>

#include "policy/automaton.h"

namespace palyra::policy {

// For each state the number of its equivalence class; the numbers are dense, in no order that
// matters. Two states are equivalent if every text leads from both to the same class. Every state
// is to be reachable from the first.
std::vector<uint32_t> EquivalentStates(const SparseDfa& dfa);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_MINIMISE_H_
