// The tool of a run, as policies see it: an entity whose attributes come from the registry of tools
// and from nowhere else.

#ifndef PALYRA_CLI_TOOL_ENTITY_H_
#define PALYRA_CLI_TOOL_ENTITY_H_

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/policy_sources.h"
#include "engine/tools/tool_metadata.h"

namespace palyra::cli {

struct ToolTraits {
  std::string sensitivity;
  std::vector<std::string> capabilities;
  bool operator==(const ToolTraits&) const = default;
};

ToolTraits TraitsOf(const engine::ToolMetadata& tool);

// Gives Palyra::Tool::"NAME" these attributes in every layer but the mandatory one, which speaks of
// no tools. What the layer's own entities say besides stays: groups, and attributes of a schema of
// its own. Another tool that they name without saying these attributes has those of an unknown one.
Result<void> AddTool(std::span<LayerPolicies> layers, const std::string& name,
                     const ToolTraits& traits);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_TOOL_ENTITY_H_
