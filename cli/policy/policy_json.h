// What `palyra policy check --json` prints.

#ifndef PALYRA_CLI_POLICY_POLICY_JSON_H_
#define PALYRA_CLI_POLICY_POLICY_JSON_H_

#include <string>
#include <vector>

#include "policy/source.h"

namespace palyra::cli {

// {"good": bool, "message"?: string, "diagnostics": [{"severity", "code", "message", "file"?,
// "line"?, "column"?, "policy"?, "hint"?}, …]} and a newline.
std::string CheckJson(const std::vector<policy::Diagnostic>& diagnostics, bool good,
                      const std::string& message = "");

}  // namespace palyra::cli

#endif  // PALYRA_CLI_POLICY_POLICY_JSON_H_
