// How palyra-run ends: its exit status, and what it says of the run on the terminal.

#ifndef PALYRA_CLI_RUN_STATUS_H_
#define PALYRA_CLI_RUN_STATUS_H_

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/denials.h"
#include "engine/run.h"

namespace palyra::cli {

inline constexpr int kStatusFailed = 125;

// Of a run that did not begin, or could not be ended: 126 where it was refused, else 125.
int StatusOf(const Error& error);

// The command's; 124 timed out, 126 not executable, 127 not found, 128+n killed by signal n, 137
// ended because of its rules.
int StatusOf(const engine::RunOutcome& outcome);

// "exited", "timed out", …: for records.
std::string_view EndName(engine::RunEnd end);

// In lines on standard error, as far as there is something to say.
void TellEnd(const engine::RunOutcome& outcome, const std::string& command,
             std::optional<std::chrono::milliseconds> timeout, const DenialSummary& denials);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_RUN_STATUS_H_
