// The compiler: Cedar policies, for one principal and context, to the tables that the kernel reads.
//
// Exact or refused: Decide(rules, event) is what Cedar's authorizer answers over all layers, for
// every event, or there are no rules. Errors and warnings carry stable codes:
//
//   LOW-ACTION  names an action that this version does not enforce, or that does not exist
//   LOW-ATTR    an attribute that the event's resource does not have
//   LOW-DEREF   attributes, tags or ancestors of an entity that depends on the event
//   LOW-DIGEST  a digest is looked into instead of compared
//   LOW-ERROR   a forbid that fails on some event would let it through, so it is refused; a permit
//               that fails permits nothing there, which is a warning
//   LOW-IP, LOW-MAKE  an address or another value made of text that depends on the event
//   LOW-NOW     relates the time to the event, or changes with every millisecond
//   LOW-REL     relates two unknowns to each other, as address and port
//   LOW-SIZE    more than the limits of policy/limits.h
//   LOW-TAG     tags of the event's resource
//   LOW-TEMPLATE  a template that nothing is linked to
//   LOW-UID     the name of a resource that has none
//   LOW-VERIFY  @verify where nothing could be verified
//   LOW-LAYER   no layer at all
// Warnings only:
//   LOW-CASE    never occurs: IPv4-mapped IPv6, a path that no kernel would resolve to
//   LOW-NEVER   a condition that holds on no event
//   LOW-PFX     an address never equals a range
//   LOW-SHADOW  a permit all of whose events are forbidden

#ifndef PALYRA_POLICY_COMPILE_COMPILER_H_
#define PALYRA_POLICY_COMPILE_COMPILER_H_

#include <cstddef>
#include <expected>
#include <string>
#include <vector>

#include "policy/compile/condition_table.h"
#include "policy/compile/endpoint.h"
#include "policy/entities.h"
#include "policy/evaluator.h"
#include "policy/limits.h"
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

// Which events are decided by the tables.
enum class Coverage : uint8_t {
  // The five actions net.*. Policies on anything else are refused, not skipped, but for those on
  // tool.execute, which is decided before a run (policy/execution.h).
  kNetwork,
  // Those, and unix.connect: what every kernel is held to.
  kNetworkAndUnix,
  // Those, and file.* and process.*.
  kFiles,
  // Those, and every action on names. Policies on what is decided elsewhere, before a run or by the
  // broker, are left to those.
  kAll,
};

// Bit set over NameAction.
uint16_t NamesCovered(Coverage coverage);

struct CompileInput {
  EntityUid principal;
  Value context;                   // A record. Where it has `now`, the tables hold from then on.
  std::vector<LayerInput> layers;  // Outermost first, at least one, each layer once.
  // Where names are covered the entities of every layer whose policies name groups of actions hold
  // the actions of the schema with their groups.
  Coverage coverage = Coverage::kNetwork;
  // The outermost layer forbids every action of the network: what the others say of it is left out.
  bool is_offline = false;
  TableLimits limits = {};
};

// Automata that tell apart all names on which the policies are satisfied differently, before
// classes that decide alike were merged.
struct Partitions {
  Automaton domains;             // Of endpoints.
  std::vector<Automaton> names;  // By index of RuleSet::names.
};

// What a permit on the network asks of the names of endpoints.
struct NamedPermit {
  Layer layer;
  const PlacedPolicy* policy;             // Borrowed from the input.
  std::vector<NameCondition> conditions;  // It may be satisfied where none of them holds, too.
};

struct CompileOutput {
  RuleSet rules;
  std::vector<Diagnostic> warnings;
  Partitions partitions;
  std::vector<NamedPermit> named_permits;  // In policy order; some may stand several times.
};

// On failure every policy that cannot be compiled has its diagnostic. Pure: equal inputs give equal
// outputs.
std::expected<CompileOutput, std::vector<Diagnostic>> CompileRules(const CompileInput& input);

// What is decided of one event, with the policies behind it.
struct Outcome {
  Verdict verdict;
  Reason reason;
  bool operator==(const Outcome&) const = default;
};

// The same question asked of the authorizer, policy by policy: what CompileRules must agree with.
// `event` is in canonical form.
Outcome EvaluateWithContext(const CompileInput& input, const NetEvent& event);
Outcome EvaluateWithContext(const CompileInput& input, const NameEvent& event);

// The same where only these policies can be satisfied or fail: by layer, ascending.
using Candidates = std::vector<std::vector<size_t>>;
Outcome EvaluateAmong(const CompileInput& input, const Candidates& candidates,
                      const NetEvent& event);

// The request that an event is.
Request RequestFor(const CompileInput& input, const LayerInput& layer, const NetEvent& event);
Request RequestFor(const CompileInput& input, const LayerInput& layer, const NameEvent& event);

// "net.connect tcp 192.0.2.1:443 as a.example", "file.read /etc/passwd", "unix.connect abstract x",
// "process.signal own run".
std::string EventText(const NetEvent& event);
std::string EventText(const NameEvent& event);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_COMPILER_H_
