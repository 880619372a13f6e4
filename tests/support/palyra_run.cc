#include "tests/support/palyra_run.h"

#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <sstream>

namespace palyra::tests {
namespace {

// Nothing for a line about something else than a denial.
std::optional<AuditEntry> ParseAuditLine(const std::string& line) {
  try {
    const auto json = nlohmann::json::parse(line);
    if (json.at("event").get<std::string>() != "denial") return std::nullopt;
    AuditEntry entry;
    entry.verdict = json.at("verdict").get<std::string>();
    entry.action = json.at("action").get<std::string>();
    if (json.contains("path")) {
      entry.path = json["path"].get<std::string>();
    } else {
      entry.protocol = json.at("protocol").get<std::string>();
      entry.address = json.at("address").get<std::string>();
      entry.port = json.at("port").get<int>();
    }
    entry.comm = json.at("comm").get<std::string>();
    entry.policies = json.at("policies").get<std::vector<std::string>>();
    if (!json.at("layer").is_null()) entry.layer = json.at("layer").get<std::string>();
    if (json.contains("names")) entry.names = json["names"].get<std::vector<std::string>>();
    return entry;
  } catch (const nlohmann::json::exception& exception) {
    AuditEntry malformed;
    malformed.verdict = "malformed: " + line + " (" + exception.what() + ")";
    return malformed;
  }
}

std::vector<std::string> ProbeCommand(const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {BinaryPath("palyra_probe")};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

}  // namespace

ProbeResult ParseProbe(const Ended& ended) {
  ProbeResult result;
  result.exit_status = ended.status;
  result.raw = Describe(ended);
  std::istringstream lines(ended.output);
  std::string last;
  for (std::string line; std::getline(lines, line);) last = line;
  std::istringstream words(last);
  std::string verb;
  words >> verb >> result.verdict >> result.error >> result.detail;
  return result;
}

std::vector<AuditEntry> ReadAudit(const std::string& path) {
  std::vector<AuditEntry> entries;
  std::istringstream lines(ReadText(path));
  for (std::string line; std::getline(lines, line);) {
    auto entry = ParseAuditLine(line);
    // The C library asks nscd(8) by itself, before it asks anybody else.
    if (entry && entry->path != "/var/run/nscd/socket") entries.push_back(std::move(*entry));
  }
  return entries;
}

std::ostream& operator<<(std::ostream& stream, const ProbeResult& result) {
  stream << result.raw;
  for (const AuditEntry& entry : result.audit) {
    stream << "\naudit: " << entry.verdict << ' ' << entry.action << ' ' << entry.protocol << ' '
           << entry.address << ' ' << entry.port << ' ' << entry.layer;
    for (const std::string& policy : entry.policies) stream << ' ' << policy;
  }
  return stream;
}

ProbeResult ProbeBare(const std::vector<std::string>& arguments) {
  return ParseProbe(RunProgram(ProbeCommand(arguments)));
}

PalyraRun& PalyraRun::Policy(std::string_view text) {
  const std::string name = "policy" + std::to_string(policies_++) + ".cedar";
  return Option("--policy", directory_.Write(name, text));
}

PalyraRun& PalyraRun::Option(std::string option) {
  options_.push_back(std::move(option));
  return *this;
}

PalyraRun& PalyraRun::Option(std::string option, std::string value) {
  return Option(std::move(option)).Option(std::move(value));
}

PalyraRun& PalyraRun::User(std::string user) {
  user_ = std::move(user);
  return *this;
}

std::vector<std::string> PalyraRun::CommandLine(const std::vector<std::string>& command) const {
  std::vector<std::string> line = {BinaryPath("palyra-run"), "--audit", AuditPath()};
  // Audit files are opened by the rights of whoever calls sudo.
  chmod(directory_.path().c_str(), 0777);
  // Most tests look at what a run does to the host that they see themselves.
  const bool has_tier = std::ranges::find(options_, "--tier") != options_.end();
  if (!has_tier) line.insert(line.end(), {"--tier", "guard"});
  if (!user_.empty()) line.insert(line.end(), {"--user", user_});
  line.insert(line.end(), options_.begin(), options_.end());
  line.emplace_back("--");
  line.insert(line.end(), command.begin(), command.end());
  return line;
}

Ended PalyraRun::Run(const std::vector<std::string>& command, const SpawnOptions& options) const {
  return RunProgram(CommandLine(command), options);
}

ProbeResult PalyraRun::Probe(const std::vector<std::string>& arguments,
                             const SpawnOptions& options) const {
  ProbeResult result = ParseProbe(Run(ProbeCommand(arguments), options));
  result.audit = Audit();
  return result;
}

}  // namespace palyra::tests
