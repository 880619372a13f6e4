// Texts that show what automata say: a shortest one for each class, and for each pair of classes of
// two automata, which is where a policy and its successor may differ.

#ifndef PALYRA_POLICY_AUTOMATON_WITNESS_H_
#define PALYRA_POLICY_AUTOMATON_WITNESS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/automaton.h"

namespace palyra::policy {

// One of the shortest texts that are in class `a` of the one automaton and in class `b` of the
// other: well-formed UTF-8 without NUL.
struct ClassPair {
  uint32_t a;
  uint32_t b;
  std::string representative;
};

// Every pair of classes that a text can be in, ascending. Nothing where the automata together have
// more than `most` states to look at.
std::optional<std::vector<ClassPair>> ProductClasses(const Automaton& a, const Automaton& b,
                                                     size_t most);

// One of the shortest texts of each class, by class; empty for numbers that are none.
std::vector<std::string> ClassRepresentatives(const Automaton& automaton);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_AUTOMATON_WITNESS_H_
