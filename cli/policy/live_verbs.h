// `palyra policy dump` and `apply`: the tables of live runs.

#ifndef PALYRA_CLI_POLICY_LIVE_VERBS_H_
#define PALYRA_CLI_POLICY_LIVE_VERBS_H_

#include <string>

#include "base/result.h"
#include "cli/policy/compiled_policy.h"

namespace palyra::cli {

// The tables of one live run, or of all, as `palyra policy compile` prints them. Where `compiled`
// is not null, says of each whether it is exactly what that compiles to. `all_equal` is false if
// one is not.
struct LiveDump {
  std::string text;
  bool all_equal = true;
};
Result<LiveDump> DumpLive(const std::string& run, const CompiledPolicy* compiled);

// Puts the rules in force for a live run; a sentence about what that did.
Result<std::string> ApplyToRun(const std::string& run, const CompiledPolicy& compiled);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_POLICY_LIVE_VERBS_H_
