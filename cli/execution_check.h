// tool.execute: whether the policies let a run begin that was started so.

#ifndef PALYRA_CLI_EXECUTION_CHECK_H_
#define PALYRA_CLI_EXECUTION_CHECK_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cli/policy_sources.h"
#include "cli/run_input.h"
#include "cli/run_options.h"
#include "engine/tool_user.h"
#include "policy/execution.h"

namespace palyra::cli {

// What a run is to be held to, as policies know it. Sizes are in bytes.
struct LimitFacts {
  std::optional<int64_t> memory = std::nullopt;
  std::optional<int64_t> swap = std::nullopt;
  std::optional<int64_t> pids = std::nullopt;
  std::optional<int64_t> cpus = std::nullopt;  // Thousandths of a processor.
  std::optional<int64_t> cpu_time_ms = std::nullopt;
  std::optional<int64_t> io = std::nullopt;  // Bytes a second.
  std::optional<int64_t> output = std::nullopt;
  std::optional<int64_t> disk = std::nullopt;
  std::optional<int64_t> open_files = std::nullopt;
  std::optional<int64_t> timeout_ms = std::nullopt;
};

// Each as the attribute that it is in context.limits.
inline constexpr std::pair<const char*, std::optional<int64_t> LimitFacts::*> kLimitFacts[] = {
    {"memory", &LimitFacts::memory},
    {"swap", &LimitFacts::swap},
    {"pids", &LimitFacts::pids},
    {"cpus", &LimitFacts::cpus},
    {"cpu_time_ms", &LimitFacts::cpu_time_ms},
    {"io", &LimitFacts::io},
    {"output", &LimitFacts::output},
    {"disk", &LimitFacts::disk},
    {"open_files", &LimitFacts::open_files},
    {"timeout_ms", &LimitFacts::timeout_ms}};

// Those of a command line.
LimitFacts LimitsOf(const RunOptions& options);

// How a run is to be started, beside what its events know too.
struct StartFacts {
  std::optional<std::string> egress = std::nullopt;
  std::optional<std::string> user = std::nullopt;  // uid 0 under any of its names is "root".
  std::vector<std::string> argv = {};              // NOLINT(readability-redundant-member-init)
  std::vector<std::string> unheld = {};            // NOLINT(readability-redundant-member-init)
  std::optional<std::string> executable = std::nullopt;
  LimitFacts limits = {};  // NOLINT(readability-redundant-member-init)
};

StartFacts StartFactsOf(const RunOptions& options, const engine::ToolUser& user,
                        std::optional<std::string> executable);

// What policies are asked: the principal and context of the run, and how it is started.
policy::ExecutionRequest ExecutionRequestOf(const RunFacts& facts, const StartFacts& start);

// Why a run does not begin.
struct ExecutionRefusal {
  policy::Layer layer;
  std::vector<std::string> policies;  // Labels; empty where no policy permits it.
  std::string text;                   // Rendered, with what can be pasted; ends without a newline.
};

// Nothing where it may. An ask is a refusal: nobody can be asked yet.
std::optional<ExecutionRefusal> RefusalOfExecution(std::span<const LayerPolicies> layers,
                                                   const policy::ExecutionRequest& request);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_EXECUTION_CHECK_H_
