// How many calls a caller has left of a tool, counted across runs.
//
//     <directory>/UID/NAME    the times of its last calls, milliseconds since the epoch, 8 bytes
//     each
//
// A file has at most CallBudget::kMostCalls of them. One call is one aligned write of one time
// under flock(2), so whoever dies meanwhile leaves a count that is right. A loss of power may
// forget the last seconds.

#ifndef PALYRA_ENGINE_TOOLS_CALL_BUDGETS_H_
#define PALYRA_ENGINE_TOOLS_CALL_BUDGETS_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/tools/tool_metadata.h"

namespace palyra::engine {

inline constexpr const char* kCallBudgets = "/var/lib/palyra/budgets";
// Of a caller's calls of all tools together; no tool has that name.
inline constexpr const char* kAllTools = "@all";

class CallBudgets {
 public:
  explicit CallBudgets(std::string directory = kCallBudgets) : directory_(std::move(directory)) {}

  // The name of a tool, or kAllTools, and what it has.
  using Asked = std::vector<std::pair<std::string, CallBudget>>;

  // Counts one call of each, or of none: kRefused where one is spent, and says until when. An error
  // where that cannot be counted. Calls after `now_ms`, which a clock that was set back leaves,
  // count as calls at `now_ms`.
  [[nodiscard]] Result<void> Take(uid_t caller, const Asked& asked, int64_t now_ms) const;

 private:
  std::string directory_;
};

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_TOOLS_CALL_BUDGETS_H_
