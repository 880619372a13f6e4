// Which tool a command line runs, and what its entry in the registry says of how it begins.

#ifndef PALYRA_CLI_RUN_TOOL_H_
#define PALYRA_CLI_RUN_TOOL_H_

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/run_options.h"
#include "engine/executable.h"
#include "engine/tool_user.h"
#include "engine/tools/call_budgets.h"
#include "engine/tools/tool_metadata.h"
#include "engine/tools/tool_registry.h"

namespace palyra::cli {

struct RunTool {
  engine::ToolMetadata metadata;                 // ToolRegistry::unknown() where no entry knows it.
  std::optional<engine::Executable> executable;  // Nothing: the command leads to no file.
  std::optional<std::string> path;               // What to execute, so that it is that file.
};

// By the file that the command leads to, looked for from `start` by the rights of `user`; `caller`
// is the caller's environment. kRefused: --tool names another entry than the one that
// matches that file, arguments that the entry does not take, and a file of an entry that may be
// another program by now: --env loads other code into it (LD_PRELOAD and its like), its digest is
// another one, or others than root can change it and the entry is stricter than unknown. Without a
// command --tool says which tool it is about.
Result<RunTool> FindTool(const engine::ToolRegistry& registry, const RunOptions& options,
                         const engine::ToolUser& user, const std::string& start,
                         const std::vector<std::string>& caller);

// What is counted where it runs: calls of it, and of all tools.
engine::CallBudgets::Asked BudgetsOf(const engine::ToolRegistry& registry,
                                     const engine::ToolMetadata& tool);

// What the entry says and the command line does not: limits, egress mode, and the variables of
// `caller` that pass. kInvalidArgument names the entry's file where a value is none.
Result<void> ApplyToolDefaults(const engine::ToolMetadata& tool,
                               const std::vector<std::string>& caller, RunOptions& options);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_RUN_TOOL_H_
