#include "engine/environment.h"

#include <algorithm>
#include <array>
#include <map>

namespace palyra::engine {
namespace {

constexpr std::string_view kDefaultPath = "/usr/local/bin:/usr/bin:/bin";

constexpr std::array<std::string_view, 12> kPassed = {"PATH",  "TERM",     "COLORTERM", "NO_COLOR",
                                                      "LANG",  "LANGUAGE", "TZ",        "COLUMNS",
                                                      "LINES", "PAGER",    "EDITOR",    "PWD"};

std::string_view NameOf(std::string_view variable) {
  return variable.substr(0, variable.find('='));
}

using Variables = std::map<std::string, std::string, std::less<>>;

Result<void> AddRequested(std::string_view request, const Variables& caller, Variables& result) {
  const std::string_view name = NameOf(request);
  if (name.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "\"" + std::string(request) + "\" names no variable; write NAME or NAME=VALUE");
  }
  if (name.size() < request.size()) {
    result.insert_or_assign(std::string(name), std::string(request.substr(name.size() + 1)));
  } else if (const auto found = caller.find(name); found != caller.end()) {
    result.insert_or_assign(found->first, found->second);
  }
  return {};
}

}  // namespace

bool PassesByDefault(std::string_view name) {
  return name.starts_with("LC_") || std::ranges::find(kPassed, name) != kPassed.end();
}

Result<std::vector<std::string>> BuildEnvironment(const std::vector<std::string>& caller,
                                                  const std::vector<std::string>& requested,
                                                  const ToolUser& user) {
  Variables given;
  for (const std::string_view variable : caller) {
    const std::string_view name = NameOf(variable);
    if (name.empty() || name.size() == variable.size()) continue;
    given.try_emplace(std::string(name), variable.substr(name.size() + 1));
  }

  Variables result;
  for (const auto& [name, value] : given) {
    if (PassesByDefault(name)) result.emplace(name, value);
  }
  result.try_emplace("PATH", kDefaultPath);
  result.insert_or_assign("HOME", user.home);
  result.insert_or_assign("SHELL", user.shell);
  if (!user.name.empty()) {
    result.insert_or_assign("USER", user.name);
    result.insert_or_assign("LOGNAME", user.name);
  }
  for (const std::string_view request : requested) {
    if (Result<void> added = AddRequested(request, given, result); !added) {
      return std::unexpected(added.error());
    }
  }

  std::vector<std::string> environment;
  environment.reserve(result.size());
  for (const auto& [name, value] : result) {
    std::string& variable = environment.emplace_back(name);
    variable += '=';
    variable += value;
  }
  return environment;
}

}  // namespace palyra::engine
