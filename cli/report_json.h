// The promises of engine/report.h as JSON, as `palyra doctor` and the records of runs have them.

#ifndef PALYRA_CLI_REPORT_JSON_H_
#define PALYRA_CLI_REPORT_JSON_H_

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/result.h"
#include "engine/report.h"

namespace palyra::cli {

// [{"topic","promise","held","mechanism"} or, of what is not held, {"topic","promise","held","why",
//  "remedy"?}, …]
nlohmann::ordered_json PromisesJson(const engine::EnforcementReport& report);

// {"promises": PromisesJson()} and a newline, into the file (cli/output_file.h).
Result<void> WriteReport(const engine::EnforcementReport& report, const std::string& path);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_REPORT_JSON_H_
