// Entities named on a command line.

#ifndef PALYRA_CLI_CEDAR_UID_H_
#define PALYRA_CLI_CEDAR_UID_H_

#include <string_view>

#include "base/result.h"
#include "policy/value.h"

namespace palyra::cli {

// T::"id" as Cedar text; `name` is how the message calls it.
Result<policy::EntityUid> ParseUid(std::string_view name, std::string_view text);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_CEDAR_UID_H_
