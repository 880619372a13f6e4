// What --dry-run shows: the run as it would begin.

#ifndef PALYRA_CLI_DRY_RUN_H_
#define PALYRA_CLI_DRY_RUN_H_

#include <string>

#include "cli/run_input.h"
#include "cli/run_rules.h"
#include "engine/file_view.h"
#include "engine/tool_user.h"
#include "policy/compile/places.h"

namespace palyra::cli {

struct DryRun {
  const RunFacts& facts;
  const policy::Places& places;
  const std::string& start;  // Where the command starts.
  const engine::ToolUser& user;
  const policy::RuleSet& rules;
  const engine::FileView* view;  // Null: nothing holds files as the run begins.
  const NamedLayers& layers;
};

// As whom, where, and for what; digest and size of the rules; the view of the file system; and the
// policies of each layer, one a line. Ends with a newline.
std::string DryRunText(const DryRun& run);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_DRY_RUN_H_
