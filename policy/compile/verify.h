// Whether tables say what the policies say, compared cell by cell.

#ifndef PALYRA_POLICY_COMPILE_VERIFY_H_
#define PALYRA_POLICY_COMPILE_VERIFY_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "policy/compile/compiler.h"
#include "policy/rule_set.h"

namespace palyra::policy {

// Who answers for the tables: their own interpreter, or the kernel's programs.
struct Deciders {
  std::function<Ruling(const NetEvent&)> net;
  std::function<Ruling(const NameEvent&)> name;
};

struct Verification {
  uint64_t net_cells = 0;
  uint64_t name_cells = 0;
  uint64_t differences = 0;
  std::vector<std::string> examples;  // The first differences, a line each.
  // What has too many classes of names together with the tables to be compared: actions on names,
  // or "net".
  std::vector<std::string> not_compared;

  [[nodiscard]] bool passed() const { return differences == 0 && not_compared.empty(); }
};

// Complete: within a cell neither a policy nor `rules` tells events apart, and one event of every
// cell is asked of the authorizer and of `deciders`. `partitions` are those of compiling `input`;
// `rules` may come from elsewhere, as from the kernel.
Verification VerifyRules(const CompileInput& input, const Partitions& partitions,
                         const RuleSet& rules, const Deciders& deciders);

// By the interpreter of `rules`.
Verification VerifyRules(const CompileInput& input, const Partitions& partitions,
                         const RuleSet& rules);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_VERIFY_H_
