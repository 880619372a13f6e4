// A RuleSet as the kernel's own code decides by it, without a run.

#ifndef PALYRA_ENGINE_RULE_JUDGE_H_
#define PALYRA_ENGINE_RULE_JUDGE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/automaton_image.h"
#include "engine/kernel_judge.h"
#include "engine/table_image.h"
#include "policy/rule_set.h"

namespace palyra::engine {

// Borrows the rules. Not thread-safe.
class RuleJudge {
 public:
  // Loads programs and tables of its own; nothing of it outlives this. kExhausted where the tables
  // cannot hold the rules.
  static Result<RuleJudge> Create(const policy::RuleSet& rules);

  Result<policy::Ruling> Decide(const policy::NetEvent& event);
  Result<policy::Ruling> Decide(const policy::NameEvent& event);

  // Takes every transition of every automaton and compares the state that the kernel comes to. A
  // line for each difference, at most `most`; `walks` counts.
  Result<std::vector<std::string>> WalkEveryTransition(size_t most, uint64_t& walks);

 private:
  struct Walked {
    AutomatonImage image;
    uint32_t place;
  };

  RuleJudge(KernelJudge judge, const policy::RuleSet& rules)
      : judge_(std::move(judge)), rules_(&rules), profile_(1 | HostsFlags(rules)) {}

  KernelJudge judge_;
  const policy::RuleSet* rules_;
  uint32_t profile_;
  std::vector<Walked> automata_;  // By index of RuleSet::names.
};

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_RULE_JUDGE_H_
