// The tools that this machine knows, and which of them a file is.

#ifndef PALYRA_ENGINE_TOOLS_TOOL_REGISTRY_H_
#define PALYRA_ENGINE_TOOLS_TOOL_REGISTRY_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/executable.h"
#include "engine/tools/tool_metadata.h"

namespace palyra::engine {

inline constexpr const char* kShippedTools = "/usr/share/palyra/tools.d";
inline constexpr const char* kOperatorTools = "/etc/palyra/tools.d";

// A tool that a file is.
struct ToolMatch {
  const ToolMetadata* tool;  // Of the registry.
  // What to execute, so that it is this file: no part of the way to it can be changed by others
  // than root.
  std::string path;
  std::string distrusted;   // Why it may be another file than the entry means; empty: it is that.
  bool is_changed = false;  // It is distrusted because its digest is another one.
};

class ToolRegistry {
 public:
  // Every *.toml of these directories, in the order of their names; one that is not there is empty.
  // An entry of a later directory takes the place of an earlier one's of the same name, and so does
  // its [budget]. Refused: a name twice in one directory, and what could have been changed by
  // others than root (base/trusted_file.h).
  static Result<ToolRegistry> Load(const std::vector<std::string>& directories = {kShippedTools,
                                                                                  kOperatorTools});

  // Sorted by name.
  [[nodiscard]] const std::vector<ToolMetadata>& tools() const { return tools_; }
  [[nodiscard]] const ToolMetadata* Find(std::string_view name) const;
  // What holds for a file that no entry knows.
  [[nodiscard]] const ToolMetadata& unknown() const;
  // Of each caller, for all tools together.
  [[nodiscard]] const std::optional<CallBudget>& budget() const { return budget_; }

  // The entries that name this very file, the most sensitive first, then one that names the path
  // that was asked for. Only a file that nobody but root can change, with the digest that the entry
  // says, is the tool: any other is distrusted. Empty: it is unknown.
  [[nodiscard]] Result<std::vector<ToolMatch>> Match(const Executable& executable) const;

 private:
  std::vector<ToolMetadata> tools_;
  std::optional<CallBudget> budget_;
  ToolMetadata built_in_unknown_ = UnknownTool();

  Result<void> Add(const std::string& directory);
};

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_TOOLS_TOOL_REGISTRY_H_
