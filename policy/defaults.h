// What a caller is permitted of files and programs without having said so: policy/defaults.cedar.
//
// They stand in the caller's layer and fill what it does not speak of. There are four topics:
// reading files, changing them (the six actions of file.modify), executing programs, and signals
// and tracing. A permit of the caller's about a topic makes the topic the caller's, and the
// defaults on it are left out. A forbid narrows what is permitted, by defaults too.

#ifndef PALYRA_POLICY_DEFAULTS_H_
#define PALYRA_POLICY_DEFAULTS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "policy/entities.h"
#include "policy/mandatory.h"
#include "policy/policy_set.h"
#include "policy/source.h"

namespace palyra::policy {

// The texts, which name the places of policy/compile/places.h.
std::vector<SourcePtr> DefaultSources(FileParts parts);

// Which actions on names, widened to their topics, the permits of `policies` are about; a bit set
// over NameAction. Groups of actions are those of `entities`.
uint16_t TopicsPermitted(const PolicySet& policies, const EntityStore& entities);

// `policies` and, behind them, those of `defaults` on topics that are not the caller's, numbered
// on. Policies from `additions`, which are shorthands, add to the defaults instead of taking their
// place. Refused where `defaults` does not parse.
Result<PolicySet> WithDefaults(PolicySet policies, const EntityStore& entities,
                               std::span<const SourcePtr> additions,
                               const std::vector<SourcePtr>& defaults);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_DEFAULTS_H_
