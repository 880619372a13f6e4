// The conditions on names of all that a table is made of, each once, and who asks them.

#ifndef PALYRA_POLICY_COMPILE_CONDITION_TABLE_H_
#define PALYRA_POLICY_COMPILE_CONDITION_TABLE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "policy/ast.h"
#include "policy/automaton_builder.h"

namespace palyra::policy {

// A condition on a name: it matches one of these.
using NameCondition = std::vector<Pattern>;

// Users are numbers of the caller's, which ascend from Add to Add.
class ConditionTable {
 public:
  void Add(const NameCondition& condition, uint32_t user);

  [[nodiscard]] const std::vector<Pattern>& patterns() const { return patterns_; }
  // By pattern, the number of its condition.
  [[nodiscard]] const std::vector<uint32_t>& labels() const { return labels_; }

  // Who has a condition that holds on these names. Ascending.
  [[nodiscard]] std::vector<uint32_t> UsersOf(const StringClass& names) const;
  // The same with all those conditions of each.
  using Held = std::map<uint32_t, std::vector<uint32_t>>;
  [[nodiscard]] Held HeldOn(const StringClass& names) const;
  // Whose patterns make the automaton too large, the worst first; some may stand twice.
  [[nodiscard]] std::vector<uint32_t> UsersBehind(const AutomatonRefusal& refusal) const;

 private:
  std::map<std::vector<std::vector<std::string>>, uint32_t> numbers_;
  std::vector<Pattern> patterns_;
  std::vector<uint32_t> labels_;
  std::vector<std::vector<uint32_t>> users_;  // By condition, ascending.

  uint32_t NumberOf(const NameCondition& condition);
};

// "the names need more than 1048576 states"
std::string DescribeBound(AutomatonRefusal::Bound bound);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_CONDITION_TABLE_H_
