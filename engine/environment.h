// The environment of a tool: an allowlist of the caller's, the tool user's own, and what was asked
// for by name. Secrets that merely happen to be in the caller's environment stay outside.

#ifndef PALYRA_ENGINE_ENVIRONMENT_H_
#define PALYRA_ENGINE_ENVIRONMENT_H_

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/tool_user.h"

namespace palyra::engine {

// Whether variable `name` passes without being asked for: PATH, TERM, the locale and the like.
bool PassesByDefault(std::string_view name);

// `caller`: NAME=VALUE strings. `requested`: NAME (the caller's value, nothing where it has none)
// or NAME=VALUE; of equal names the last holds. HOME, USER, LOGNAME and SHELL are the tool user's.
// Sorted NAME=VALUE strings. kInvalidArgument for a request without a name.
Result<std::vector<std::string>> BuildEnvironment(const std::vector<std::string>& caller,
                                                  const std::vector<std::string>& requested,
                                                  const ToolUser& user);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_ENVIRONMENT_H_
