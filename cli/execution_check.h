// tool.execute: whether the policies let a run begin that was started so.

#ifndef PALYRA_CLI_EXECUTION_CHECK_H_
#define PALYRA_CLI_EXECUTION_CHECK_H_

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/policy_sources.h"
#include "cli/run_input.h"
#include "cli/run_options.h"
#include "engine/tool_user.h"
#include "policy/execution.h"

namespace palyra::cli {

// What they are asked: the principal and context of the run, and how it is started.
policy::ExecutionRequest ExecutionRequestOf(const RunOptions& options, const RunFacts& facts,
                                            const engine::ToolUser& user);

// Why a run does not begin.
struct ExecutionRefusal {
  policy::Layer layer;
  std::vector<std::string> policies;  // Labels; empty where no policy permits it.
  std::string text;                   // Rendered, with what can be pasted; ends without a newline.
};

// Nothing where it may. An ask is a refusal: nobody can be asked yet.
std::optional<ExecutionRefusal> RefusalOfExecution(std::span<const LayerPolicies> layers,
                                                   const policy::ExecutionRequest& request);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_EXECUTION_CHECK_H_
