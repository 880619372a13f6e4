#include "cli/limit_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

namespace palyra::cli {

void AddLimitOptions(CLI::App& app, LimitTexts& texts) {
  for (const engine::LimitInfo& info : engine::AllLimits()) {
    app.add_option(fmt::format("--{}", info.name), texts.at(static_cast<size_t>(info.kind)),
                   std::string(info.purpose))
        ->type_name(std::string(info.value));
  }
}

Result<engine::RunLimits> ReadLimits(const LimitTexts& texts) {
  engine::RunLimits limits;
  for (const engine::LimitInfo& info : engine::AllLimits()) {
    const std::optional<std::string>& text = texts.at(static_cast<size_t>(info.kind));
    if (!text) continue;
    if (Result<void> set = engine::SetLimit(info.kind, *text, limits); !set) {
      return Fail(set.error().code, fmt::format("--{}: {}", info.name, set.error().message));
    }
  }
  if (Result<void> checked = engine::CheckLimits(limits); !checked) {
    return std::unexpected(checked.error());
  }
  return limits;
}

}  // namespace palyra::cli
