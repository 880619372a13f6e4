#include "engine/tools/tool_metadata.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace palyra::engine {
namespace {

using std::chrono::seconds;

constexpr std::array<std::string_view, kCapabilityCount> kCapabilityNames = {
    "process-exec", "network", "secrets", "filesystem-write"};
constexpr std::array<std::string_view, 3> kSensitivityNames = {"low", "medium", "high"};

struct Unit {
  std::string_view name;
  seconds length;
};
constexpr std::array<Unit, 4> kUnits = {
    {{"s", seconds(1)}, {"m", seconds(60)}, {"h", seconds(3600)}, {"d", seconds(86400)}}};

bool MatchesAny(std::span<const std::string> patterns, std::string_view word) {
  return std::ranges::any_of(
      patterns, [&](const std::string& pattern) { return MatchesPattern(pattern, word); });
}

std::string Numbered(size_t index) { return "argument " + std::to_string(index); }

}  // namespace

std::string_view CapabilityName(Capability capability) {
  return kCapabilityNames.at(static_cast<size_t>(capability));
}

std::string_view SensitivityName(Sensitivity sensitivity) {
  return kSensitivityNames.at(static_cast<size_t>(sensitivity));
}

Result<CallBudget> ParseBudget(std::string_view text) {
  CallBudget budget;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), budget.calls);
  const std::string_view rest(end, static_cast<size_t>(text.data() + text.size() - end));
  for (const Unit& unit : kUnits) {
    if (rest.starts_with('/') && rest.substr(1) == unit.name) budget.window = unit.length;
  }
  const bool counts = error == std::errc() && budget.calls > 0 &&
                      budget.calls <= CallBudget::kMostCalls && budget.window > seconds::zero();
  if (counts) return budget;
  return Fail(ErrorCode::kInvalidArgument,
              '"' + std::string(text) +
                  "\" is no budget; write calls per s, m, h or d, as 100/h, " + "with at most " +
                  std::to_string(CallBudget::kMostCalls) + " calls");
}

std::string BudgetText(const CallBudget& budget) {
  const auto* const unit = std::ranges::find(kUnits, budget.window, &Unit::length);
  return std::to_string(budget.calls) + '/' +
         (unit == kUnits.end() ? std::to_string(budget.window.count()) + "s"
                               : std::string(unit->name));
}

ToolMetadata UnknownTool() {
  ToolMetadata tool;
  tool.name = kUnknownToolName;
  tool.description = "what no entry of the registry knows";
  tool.capabilities = {Capability::kProcessExec, Capability::kNetwork,
                       Capability::kFilesystemWrite};
  return tool;
}

// Goes back to the last star alone, so it takes at most size times size steps.
bool MatchesPattern(std::string_view pattern, std::string_view text) {
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;
  size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

Result<void> CheckArguments(const ToolMetadata& tool, std::span<const std::string> argv) {
  const ArgumentSchema& schema = tool.arguments;
  const auto refuse = [&](const std::string& why) {
    return Fail(ErrorCode::kRefused, "refused: the tool \"" + tool.name + "\" " + why + " (" +
                                         (tool.source.empty() ? "built in" : tool.source) + ')');
  };
  if (argv.empty()) return {};
  const std::span<const std::string> words = argv.subspan(1);
  if (schema.max_count && words.size() > *schema.max_count) {
    return refuse("takes at most " + std::to_string(*schema.max_count) + " arguments, and there " +
                  "are " + std::to_string(words.size()));
  }
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (schema.max_length && word.size() > *schema.max_length) {
      return refuse("takes arguments of at most " + std::to_string(*schema.max_length) +
                    " bytes, and " + Numbered(i + 1) + " has " + std::to_string(word.size()));
    }
    if (!schema.allowed.empty() && !MatchesAny(schema.allowed, word)) {
      return refuse("does not take " + Numbered(i + 1) + ": no pattern of its " +
                    "allowed arguments matches");
    }
    for (const std::string& pattern : schema.forbidden) {
      if (!MatchesPattern(pattern, word)) continue;
      return refuse("does not take " + Numbered(i + 1) + ": \"" + pattern + "\" is forbidden");
    }
  }
  return {};
}

}  // namespace palyra::engine
