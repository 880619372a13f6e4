#include "cli/start_text.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include "policy/egress_mode.h"

namespace palyra::cli {
namespace {

std::unexpected<Error> Wrong(const std::string& what) {
  return Fail(ErrorCode::kInvalidArgument, what);
}

Result<int64_t> ParseNumber(std::string_view name, std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number >= 0) return number;
  return Wrong(fmt::format("{}: \"{}\" is no number from 0 on", name, text));
}

Result<void> Add(std::string_view name, const std::string& value, StartFacts& facts) {
  if (name == "egress") {
    if (!policy::EgressModeOf(value)) {
      return Wrong(
          fmt::format("egress: \"{}\" is no mode; write none, preflight or strict", value));
    }
    facts.egress = value;
  } else if (name == "user") {
    facts.user = value;
  } else if (name == "executable") {
    facts.executable = value;
  } else if (name == "argv") {
    facts.argv.push_back(value);
  } else if (name == "unheld") {
    facts.unheld.push_back(value);
  } else {
    for (const auto& [limit, member] : kLimitFacts) {
      if (name != limit) continue;
      const Result<int64_t> number = ParseNumber(name, value);
      if (!number) return std::unexpected(number.error());
      facts.limits.*member = *number;
      return {};
    }
    return Wrong(fmt::format(
        "\"{}\" is no fact of tool.execute; there are egress, user, executable, argv, unheld, "
        "memory, swap, pids, cpus, cpu_time_ms, io, output, disk, open_files and timeout_ms",
        name));
  }
  return {};
}

}  // namespace

Result<WrittenStart> ParseStart(const std::vector<std::string>& words) {
  if (words.size() < 2 || words[1].contains('=')) {
    return Wrong("write tool.execute TOOL [FACT=VALUE…], as tool.execute git egress=none");
  }
  WrittenStart start{.tool = words[1], .facts = {}};
  for (size_t i = 2; i < words.size(); ++i) {
    const size_t equals = words[i].find('=');
    if (equals == std::string::npos) {
      return Wrong(fmt::format("\"{}\" says nothing; write FACT=VALUE", words[i]));
    }
    Result<void> added =
        Add(std::string_view(words[i]).substr(0, equals), words[i].substr(equals + 1), start.facts);
    if (!added) return std::unexpected(added.error());
  }
  return start;
}

}  // namespace palyra::cli
