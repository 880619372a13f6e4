// From `like` patterns to the automaton that tells which of them a text matches.

#ifndef PALYRA_POLICY_AUTOMATON_BUILDER_H_
#define PALYRA_POLICY_AUTOMATON_BUILDER_H_

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "policy/ast.h"
#include "policy/automaton.h"

namespace palyra::policy {

struct AutomatonRequest {
  std::span<const Pattern> patterns;

  // What a match of each pattern is called; empty: its index. Patterns of one label are
  // alternatives, and together need fewer states than apart: that the text has matched one of them
  // for good makes the others pointless.
  std::span<const uint32_t> labels;

  // The texts that can be asked for, e.g. "/*" for paths and "*" for any. All others are in one
  // class, whatever they match.
  Pattern universe{.pieces = {"", ""}};
};

// The texts that match the same.
struct StringClass {
  std::vector<uint32_t> labels;  // Of the patterns that match, ascending.
  std::string representative;    // One of the shortest; well-formed UTF-8 without NUL.
};

struct BuiltAutomaton {
  Automaton automaton;
  std::vector<StringClass> classes;  // Those of the automaton, in the order of its states.
  std::optional<uint32_t> outside;   // The class of what is not in the universe; it has no labels.
};

// A bound of limits.h is reached.
struct AutomatonRefusal {
  enum class Bound {
    kStates,   // kMaxAutomatonStates
    kEdges,    // kMaxAutomatonEdges
    kClasses,  // kMaxStringClasses
    kWork,     // kMaxAutomatonWork, kMaxPatternNodes
  };
  Bound bound;
  // The patterns that contribute most, by index, the worst first: those whose stars are open in
  // most states; where no star is, the longest.
  std::vector<uint32_t> patterns;
};

// Stops at the bounds before it takes the memory. A pattern with NUL, or not in UTF-8, matches
// nothing. Deterministic.
std::expected<BuiltAutomaton, AutomatonRefusal> BuildAutomaton(const AutomatonRequest& request);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_AUTOMATON_BUILDER_H_
