// How a run is started, as people write it for `palyra policy explain`:
// "tool.execute git egress=none user=root argv=push timeout_ms=5000".

#ifndef PALYRA_CLI_START_TEXT_H_
#define PALYRA_CLI_START_TEXT_H_

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/execution_check.h"

namespace palyra::cli {

struct WrittenStart {
  std::string tool;
  StartFacts facts;
};

// tool.execute, the tool's name, and of each fact FACT=VALUE: egress, user, executable, argv and
// unheld, which may be repeated, and the limits. kInvalidArgument says what is wrong.
Result<WrittenStart> ParseStart(const std::vector<std::string>& words);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_START_TEXT_H_
