// Why an event is allowed, asked or denied: the policies of each layer, and the entry of the tables
// that says so.

#ifndef PALYRA_POLICY_COMPILE_EXPLAIN_H_
#define PALYRA_POLICY_COMPILE_EXPLAIN_H_

#include <span>
#include <string>
#include <vector>

#include "policy/compile/compiler.h"
#include "policy/execution.h"
#include "policy/rule_set.h"

namespace palyra::policy {

// What one policy says of the event.
struct PolicyAnswer {
  std::string label;  // As PlacedPolicy::Label().
  bool is_forbid;
  std::string asks;      // The text of @ask; empty without.
  bool verifies;         // It has @verify.
  std::string residual;  // What was left to ask of any event of the action, as Cedar text.
  std::string error;     // Why it failed; empty where it is satisfied.
};

struct LayerAnswer {
  Layer layer;
  Verdict verdict;
  std::vector<PolicyAnswer> policies;  // Those that are satisfied or fail.
};

struct Explanation {
  std::string event;
  Verdict verdict;
  std::vector<LayerAnswer> layers;
  // "prefix 192.0.2.0/24, class 3, ports 443-443, …"; empty where no table decides.
  std::string table;
};

Explanation Explain(const CompileInput& input, const RuleSet& rules, const NetEvent& event);
Explanation Explain(const CompileInput& input, const RuleSet& rules, const NameEvent& event);
// Whether a run begins (policy/execution.h): of layers that speak of it.
Explanation Explain(std::span<const LayerInput> layers, const ExecutionRequest& request);

// Some lines, the verdict first.
std::string ToText(const Explanation& explanation);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_EXPLAIN_H_
