// Which actions on names the policies of a run speak of. A run whose policies say nothing of files
// is not held to rules about them; once they name one action on files or programs, all of those are
// judged, and what no policy permits is denied. Signals and tracing likewise, each by itself.

#ifndef PALYRA_POLICY_COMPILE_SPOKEN_NAMES_H_
#define PALYRA_POLICY_COMPILE_SPOKEN_NAMES_H_

#include <cstdint>
#include <span>

#include "policy/compile/compiler.h"
#include "policy/rule_set.h"

namespace palyra::policy {

// Bit set over NameAction: what the rules of a run decide. A head that names neither an action nor
// a type of resource speaks of whatever is judged anyway, and the mandatory layer likewise; but a
// forbid speaks of the types and entities in its conditions too.
uint16_t JudgedNames(std::span<const LayerInput> layers);

// The least that covers them.
Coverage CoverageFor(uint16_t judged);

// Takes out the rules of every action that is not judged.
void KeepNames(RuleSet& rules, uint16_t judged);

// Takes out of `rules` what they say of files, programs, signals and tracing: rules of their own,
// with the same reasons.
RuleSet TakeFileRules(RuleSet& rules);

// Whether `after` denies a file, a program, a signal or a trace that `before` allows, and likewise
// the other way round. An action without rules is allowed.
struct FileChange {
  bool is_tighter = false;
  bool is_looser = false;
};
FileChange CompareFileRules(const RuleSet& before, const RuleSet& after);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_SPOKEN_NAMES_H_
