// Everything about a run that is known before anything is set up in the kernel: where, as whom,
// which tool, under which rules.

#ifndef PALYRA_CLI_RUN_PREPARATION_H_
#define PALYRA_CLI_RUN_PREPARATION_H_

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/audit_log.h"
#include "cli/execution_check.h"
#include "cli/name_answers.h"
#include "cli/policy_sources.h"
#include "cli/receipt.h"
#include "cli/run_files.h"
#include "cli/run_input.h"
#include "cli/run_options.h"
#include "cli/run_rules.h"
#include "cli/run_tool.h"
#include "engine/cell_view.h"
#include "engine/mounts.h"
#include "engine/policy_watch.h"
#include "engine/renewal.h"
#include "engine/tool_user.h"
#include "engine/tools/call_budgets.h"
#include "policy/compile/places.h"
#include "policy/rule_set.h"

namespace palyra::cli {

struct Prepared {
  std::string start;  // Where the command starts.
  RunFacts facts;
  policy::Places places;
  engine::ToolUser user;
  RunTool tool;
  engine::CallBudgets::Asked budgets;
  std::optional<engine::PolicyWatch> watch;
  // Those that decide whether it may begin, where they are not in force: in the tier watch.
  std::optional<NamedLayers> deciding;
  // The last are in force; those before them named what was denied until then.
  std::deque<NamedLayers> layers;
  policy::RuleSet rules;
  bool may_deny_start = false;  // See RunRules.
  std::optional<RunFiles> files;
  std::optional<PinnedNames> pins;  // To be resolved before the run; no others ever.
  std::optional<AuditLog> audit;
  RunReceipt* receipt = nullptr;  // Null: nobody asked for one.
};

// kPermissionDenied.
Result<void> RequireRoot();

// NAME=VALUE, as whoever started palyra-run has them.
std::vector<std::string> CallerEnvironment();

// Finds everything that can be wrong with the caller's input. `options` take what the tool's entry
// in the registry adds. `receipt` may be null.
Result<Prepared> PrepareInput(RunOptions& options, RunReceipt* receipt);

// The next rules: conditions on the time have come to their next boundary, or the operator changed
// something. Of prepared.layers those numbered `in_force` hold until these do.
Result<engine::SourcedRules> RenewRules(const RunOptions& options, Prepared& prepared,
                                        size_t in_force);

// What the run sees of the host; nothing where it is on the host as it is. Needs root.
Result<std::optional<engine::CellView>> ShowInCell(const RunOptions& options,
                                                   const Prepared& prepared);

// What the command was found to be; without an inode where nothing was found.
engine::KnownPath ExecutableOf(const Prepared& prepared);

StartFacts StartOf(const RunOptions& options, const Prepared& prepared);

// kRefused where the policies do not let it begin.
Result<void> RequireExecution(const RunOptions& options, Prepared& prepared);

// Makes the directory where the command starts the working directory: after everything that the
// caller named relative to where it is has been read.
Result<void> GoToStart(const RunOptions& options, const Prepared& prepared);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_RUN_PREPARATION_H_
