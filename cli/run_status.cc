#include "cli/run_status.h"

#include <fmt/format.h>

#include <cstring>

#include "cli/console.h"

namespace palyra::cli {
namespace {

constexpr const char* kProgram = "palyra-run";

constexpr int kStatusTimedOut = 124;
constexpr int kStatusRefused = 126;
constexpr int kStatusNotFound = 127;
constexpr int kStatusSignalBase = 128;
constexpr int kStatusKilled = 137;  // By a limit, or by rules that no longer permit the run.

}  // namespace

int StatusOf(const Error& error) {
  return error.code == ErrorCode::kRefused ? kStatusRefused : kStatusFailed;
}

int StatusOf(const engine::RunOutcome& outcome) {
  switch (outcome.end) {
    case engine::RunEnd::kExited:
      return outcome.exit_code;
    case engine::RunEnd::kSignaled:
      return kStatusSignalBase + outcome.signal;
    case engine::RunEnd::kTimedOut:
      return kStatusTimedOut;
    case engine::RunEnd::kRulesChanged:
    case engine::RunEnd::kLimit:
      return kStatusKilled;
    case engine::RunEnd::kNotFound:
      return kStatusNotFound;
    case engine::RunEnd::kNotExecutable:
      return kStatusRefused;
  }
  return kStatusFailed;
}

std::string_view EndName(engine::RunEnd end) {
  switch (end) {
    case engine::RunEnd::kExited:
      return "exited";
    case engine::RunEnd::kSignaled:
      return "signaled";
    case engine::RunEnd::kTimedOut:
      return "timed out";
    case engine::RunEnd::kRulesChanged:
      return "rules changed";
    case engine::RunEnd::kLimit:
      return "limit";
    case engine::RunEnd::kNotFound:
      return "not found";
    case engine::RunEnd::kNotExecutable:
      return "not executable";
  }
  return "unknown";
}

void TellEnd(const engine::RunOutcome& outcome, const std::string& command,
             std::optional<std::chrono::milliseconds> timeout, const DenialSummary& denials) {
  if (outcome.end == engine::RunEnd::kTimedOut) {
    Say(kProgram,
        fmt::format(
            "killed at the deadline of {} s",
            static_cast<double>(timeout.value_or(std::chrono::milliseconds(0)).count()) / 1000));
  }
  if (outcome.limit) {
    const std::string_view name = engine::InfoOf(*outcome.limit).name;
    Say(kProgram, fmt::format("ended by its limit: --{} {}", name, outcome.limit_text));
  }
  if (outcome.end == engine::RunEnd::kNotFound || outcome.end == engine::RunEnd::kNotExecutable) {
    Say(kProgram, fmt::format("cannot execute \"{}\": {}", command, strerror(outcome.start_errno)));
  }
  if (const auto line = denials.Line(outcome.counters.denied, outcome.counters.lost)) {
    Say(kProgram, *line);
  }
  if (outcome.counters.lost_audited > 0) {
    Say(kProgram, fmt::format("{} of {} allows found no room on their way to the audit file",
                              outcome.counters.lost_audited, outcome.counters.audited));
  }
}

}  // namespace palyra::cli
