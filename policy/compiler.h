// The compiler: Cedar policies, for one principal and context, to the tables that the kernel reads.
//
// Exact or refused: Decide(rules, event) is what Cedar's authorizer answers over all layers, for
// every event, or there are no rules. Errors and warnings carry stable codes:
//
//   LOW-ACTION  names an action that this version does not enforce, or that does not exist
//   LOW-ATTR    an attribute that endpoints do not have
//   LOW-DEREF   attributes, tags or ancestors of an entity that depends on the endpoint
//   LOW-DOMAIN  needs the endpoint's domain; as a warning: `resource has domain` is false
//   LOW-ERROR   a forbid that fails on some event would let it through, so it is refused; a permit
//               that fails permits nothing there, which is a warning
//   LOW-IP      ip() of text that depends on the endpoint
//   LOW-REL     relates two of address, port and protocol to each other
//   LOW-SIZE    more than the limits of policy/limits.h
//   LOW-TAG     tags of the endpoint
//   LOW-UID     the endpoint's own name
//   LOW-LAYER   no layer at all
//   LOW-CASE    warning: IPv4-mapped IPv6 never occurs
//   LOW-PFX     warning: an address never equals a range

#ifndef PALYRA_POLICY_COMPILER_H_
#define PALYRA_POLICY_COMPILER_H_

#include <expected>
#include <vector>

#include "policy/endpoint.h"
#include "policy/entities.h"
#include "policy/policy_set.h"
#include "policy/rule_set.h"
#include "policy/source.h"
#include "policy/value.h"

namespace palyra::policy {

// Borrowed while compiling only.
struct LayerInput {
  Layer layer;
  const PolicySet* policies;
  const EntityStore* entities;
};

struct CompileInput {
  EntityUid principal;
  Value context;                   // A record.
  std::vector<LayerInput> layers;  // Outermost first, at least one, each layer once.
};

struct CompileOutput {
  RuleSet rules;
  std::vector<Diagnostic> warnings;
};

// The network part: net.connect, net.send, net.accept. Policies on anything else are refused, not
// skipped. On failure every policy that cannot be compiled has its diagnostic. Pure: equal inputs
// give equal outputs.
std::expected<CompileOutput, std::vector<Diagnostic>> CompileNetRules(const CompileInput& input);

struct NetOutcome {
  Verdict verdict;
  Reason reason;
  bool operator==(const NetOutcome&) const = default;
};

// The same question asked of the authorizer, policy by policy: what CompileNetRules must agree
// with. `event` is in canonical form.
NetOutcome EvaluateWithContext(const CompileInput& input, const NetEvent& event);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILER_H_
