#include "cli/run_tool.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/quantity.h"
#include "engine/environment.h"
#include "engine/run_limits.h"

namespace palyra::cli {
namespace {

using engine::ToolMetadata;
using engine::ToolRegistry;

constexpr const char* kWhereToLook = R"(see "palyra tool list")";

// The variable by which other code gets into a program; empty: there is none.
std::string LoadsOtherCode(const std::vector<std::string>& environment) {
  const auto found = std::ranges::find_if(
      environment, [](const std::string& variable) { return variable.starts_with("LD_"); });
  return found == environment.end() ? "" : found->substr(0, found->find('='));
}

bool IsStricterThanUnknown(const ToolMetadata& tool) {
  return tool.sensitivity == engine::Sensitivity::kHigh ||
         tool.arguments != engine::ArgumentSchema() || tool.calls;
}

// What is not certainly the tool whose file it is has no more rights than that tool.
Result<void> RefuseDoubtful(const std::vector<engine::ToolMatch>& matches,
                            const std::string& loads_other_code) {
  for (const engine::ToolMatch& match : matches) {
    const std::string& name = match.tool->name;
    if (!loads_other_code.empty()) {
      return Fail(
          ErrorCode::kRefused,
          fmt::format(R"(refused: the tool "{}": {} loads other code into it; leave it out)", name,
                      loads_other_code));
    }
    if (match.is_changed || (!match.distrusted.empty() && IsStricterThanUnknown(*match.tool))) {
      return Fail(ErrorCode::kRefused, fmt::format(R"(refused: the tool "{}": {} ({}))", name,
                                                   match.distrusted, match.tool->source));
    }
  }
  return {};
}

std::unexpected<Error> RefuseName(const std::string& name, const std::string& why) {
  return Fail(ErrorCode::kRefused, fmt::format(R"(refused: --tool "{}": {})", name, why));
}

// Without a command nothing runs as that tool.
Result<RunTool> ByName(const ToolRegistry& registry, const std::optional<std::string>& name) {
  RunTool tool{.metadata = registry.unknown(), .executable = std::nullopt, .path = std::nullopt};
  if (!name || *name == engine::kUnknownToolName) return tool;
  const ToolMetadata* entry = registry.Find(*name);
  if (entry == nullptr) return RefuseName(*name, fmt::format("no such entry; {}", kWhereToLook));
  tool.metadata = *entry;
  return tool;
}

std::string WhyNot(const ToolRegistry& registry, const std::string& name, const RunTool& found) {
  const std::string& file = found.executable->real_path;
  if (registry.Find(name) == nullptr && name != engine::kUnknownToolName) {
    return fmt::format("no such entry; {}", kWhereToLook);
  }
  if (found.metadata.name != engine::kUnknownToolName) {
    return fmt::format(R"("{}" is the tool "{}")", file, found.metadata.name);
  }
  return fmt::format(
      "\"{}\" is none of its executables, or not the file that only root can change; {}", file,
      kWhereToLook);
}

Result<void> WrongDefault(const ToolMetadata& tool, const std::string& key,
                          const std::string& why) {
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("{}: {} of the tool \"{}\": {}", tool.source, key, tool.name, why));
}

Result<void> ApplyTier(const ToolMetadata& tool, RunOptions& options) {
  if (!tool.defaults.tier) return {};
  if (!engine::TierOf(*tool.defaults.tier)) {
    return WrongDefault(tool, "tier", "write watch, guard, cell or sealed");
  }
  if (options.has_tier) return {};
  const Result<void> set = SetTier(*tool.defaults.tier, options);
  return set ? set : WrongDefault(tool, "tier", set.error().message + "; name another --tier");
}

Result<void> ApplyLimits(const ToolMetadata& tool, RunOptions& options) {
  engine::RunLimits limits;
  for (const auto& [key, member] : engine::kLimitKeys) {
    const std::optional<std::string>& value = tool.defaults.*member;
    if (!value) continue;
    if (member == &engine::ToolDefaults::timeout) {
      const Result<std::chrono::milliseconds> timeout = base::ParseDuration(*value);
      if (!timeout) return WrongDefault(tool, key, timeout.error().message);
      if (!options.timeout) options.timeout = *timeout;
      continue;
    }
    const engine::LimitInfo* const limit = engine::FindLimit(key);
    // So that none is dropped.
    if (limit == nullptr) return WrongDefault(tool, key, "there is no such limit");
    const Result<void> set = engine::SetLimit(limit->kind, *value, limits);
    if (!set) return WrongDefault(tool, key, set.error().message);
  }
  engine::FillIn(limits, options.limits);
  const Result<void> checked = engine::CheckLimits(options.limits);
  return checked ? checked : WrongDefault(tool, "limits", checked.error().message);
}

void PassVariables(const ToolMetadata& tool, const std::vector<std::string>& caller,
                   RunOptions& options) {
  std::vector<std::string> passed;
  for (const std::string& variable : caller) {
    const std::string name = variable.substr(0, variable.find('='));
    const bool passes = std::ranges::any_of(tool.environment, [&](const std::string& pattern) {
      return engine::MatchesPattern(pattern, name);
    });
    if (passes) passed.push_back(name);
  }
  // Before what was asked for by name, which holds.
  options.environment.insert(options.environment.begin(), passed.begin(), passed.end());
}

}  // namespace

Result<RunTool> FindTool(const ToolRegistry& registry, const RunOptions& options,
                         const engine::ToolUser& user, const std::string& start,
                         const std::vector<std::string>& caller) {
  if (options.command.empty()) return ByName(registry, options.tool);
  const Result<std::vector<std::string>> environment =
      engine::BuildEnvironment(caller, options.environment, user);
  if (!environment) return std::unexpected(environment.error());
  Result<std::optional<engine::Executable>> executable =
      engine::FindExecutable(options.command[0], *environment, user, start);
  if (!executable) return std::unexpected(executable.error());
  RunTool tool{.metadata = registry.unknown(), .executable = std::nullopt, .path = std::nullopt};
  if (!*executable) return tool;
  tool.path = (*executable)->path;
  tool.executable = *std::move(executable);

  Result<std::vector<engine::ToolMatch>> matches = registry.Match(*tool.executable);
  if (!matches) return std::unexpected(matches.error());
  if (Result<void> sure = RefuseDoubtful(*matches, LoadsOtherCode(*environment)); !sure) {
    return std::unexpected(sure.error());
  }
  std::erase_if(*matches, [](const auto& match) { return !match.distrusted.empty(); });
  if (!matches->empty()) {
    tool.metadata = *matches->front().tool;
    tool.path = matches->front().path;
  }
  if (options.tool && tool.metadata.name != *options.tool) {
    return RefuseName(*options.tool, WhyNot(registry, *options.tool, tool));
  }
  if (Result<void> taken = engine::CheckArguments(tool.metadata, options.command); !taken) {
    return std::unexpected(taken.error());
  }
  return tool;
}

engine::CallBudgets::Asked BudgetsOf(const ToolRegistry& registry, const ToolMetadata& tool) {
  engine::CallBudgets::Asked asked;
  if (tool.calls) asked.emplace_back(tool.name, *tool.calls);
  if (registry.budget()) asked.emplace_back(engine::kAllTools, *registry.budget());
  return asked;
}

Result<void> ApplyToolDefaults(const ToolMetadata& tool, const std::vector<std::string>& caller,
                               RunOptions& options) {
  PassVariables(tool, caller, options);
  if (tool.defaults.egress) {
    const auto mode = policy::EgressModeOf(*tool.defaults.egress);
    if (!mode) return WrongDefault(tool, "egress", "write none, preflight or strict");
    if (!options.has_egress) options.egress = *mode;
  }
  if (Result<void> tier = ApplyTier(tool, options); !tier) return tier;
  return ApplyLimits(tool, options);
}

}  // namespace palyra::cli
