// What the rules of a run are compiled for: one principal, and what is known of the run.

#ifndef PALYRA_CLI_RUN_INPUT_H_
#define PALYRA_CLI_RUN_INPUT_H_

#include <span>
#include <string>
#include <vector>

#include "cli/policy_sources.h"
#include "cli/tool_entity.h"
#include "engine/clock.h"
#include "engine/tier.h"
#include "policy/compile/compiler.h"
#include "policy/compile/places.h"
#include "policy/datetime.h"

namespace palyra::cli {

struct RunFacts {
  std::string agent = "unknown";
  std::string tool = std::string(engine::kUnknownToolName);
  ToolTraits traits = TraitsOf(engine::UnknownTool());
  std::string tier = std::string(engine::TierName(engine::Tier::kCell));
  std::string workspace = "/";
  policy::Datetime now = policy::Datetime(engine::NowWallMs());
};

// Where the places of policies are: the real paths of the workspace, of the home of whom the tool
// runs as, and of /tmp.
policy::Places PlacesOf(const std::string& workspace, const std::string& home);

// Points into the layers. Files, programs and processes are covered where policies speak of them.
policy::CompileInput InputFor(const RunFacts& facts, std::span<const LayerPolicies> layers);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_RUN_INPUT_H_
