// The options of palyra-run that set limits.

#ifndef PALYRA_CLI_LIMIT_OPTIONS_H_
#define PALYRA_CLI_LIMIT_OPTIONS_H_

#include <array>
#include <optional>
#include <string>

#include "base/result.h"
#include "engine/run_limits.h"

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11's.
class App;
}

namespace palyra::cli {

// What each option has been given, in the order of engine::AllLimits().
using LimitTexts = std::array<std::optional<std::string>, 9>;

// Borrows `texts`, which the parser fills.
void AddLimitOptions(CLI::App& app, LimitTexts& texts);

// kInvalidArgument names the option.
Result<engine::RunLimits> ReadLimits(const LimitTexts& texts);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_LIMIT_OPTIONS_H_
