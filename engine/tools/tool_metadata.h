// Tools as data: what is known of a program that agents run, from TOML files.
//
//     [tool.npm]
//     description = "package manager of Node.js"
//     capabilities = ["process-exec", "network", "filesystem-write"]
//     sensitivity = "medium"            # low, medium or high
//     executables = ["/usr/bin/npm", { path = "/opt/npm", sha256 = "<64 hexadecimal digits>" }]
//     environment = ["NPM_CONFIG_*"]    # of the caller's variables these pass, too
//     secrets = ["npm-token"]           # that it may use
//     calls = "100/h"                   # of each caller; per s, m, h or d
//     tier = "cell"                     # where the command line does not say
//     egress = "strict"
//     [tool.npm.arguments]
//     max-count = 100                   # words after the command
//     max-length = 4096                 # bytes of each
//     allowed = ["ci", "install", "--*"]
//     forbidden = ["--registry=*"]
//     [tool.npm.limits]                 # as the options of palyra-run of these names
//     timeout = "10m"
//
//     [budget]
//     calls = "10000/d"                 # of each caller, for all tools together
//
// In patterns a star stands for any run of bytes. A key that is not there to be set is an error.

#ifndef PALYRA_ENGINE_TOOLS_TOOL_METADATA_H_
#define PALYRA_ENGINE_TOOLS_TOOL_METADATA_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/sha256.h"

namespace palyra::engine {

// What a tool is there to do.
enum class Capability : uint8_t { kProcessExec, kNetwork, kSecrets, kFilesystemWrite };
inline constexpr size_t kCapabilityCount = 4;

// "process-exec", "network", "secrets", "filesystem-write".
std::string_view CapabilityName(Capability capability);

// What could come of its use, whatever policies allow it then.
enum class Sensitivity : uint8_t { kLow, kMedium, kHigh };

// "low", "medium", "high".
std::string_view SensitivityName(Sensitivity sensitivity);

struct ToolExecutable {
  std::string path;  // Absolute; links are followed.
  std::optional<base::Sha256Digest> sha256;
  bool operator==(const ToolExecutable&) const = default;
};

// What the words after the command may be. It holds for the command line as the run begins: not for
// what a program reads elsewhere, and not for the programs that it starts.
struct ArgumentSchema {
  std::optional<uint64_t> max_count;
  std::optional<uint64_t> max_length;
  std::vector<std::string> allowed;    // Each word matches one of these; empty: any.
  std::vector<std::string> forbidden;  // And none of these.
  bool operator==(const ArgumentSchema&) const = default;
};

// How a run of the tool begins where the command line does not say; texts as options take them.
struct ToolDefaults {
  std::optional<std::string> tier;
  std::optional<std::string> egress;
  std::optional<std::string> memory;
  std::optional<std::string> swap;
  std::optional<std::string> cpus;
  std::optional<std::string> cpu_time;
  std::optional<std::string> pids;
  std::optional<std::string> io;
  std::optional<std::string> output_limit;
  std::optional<std::string> disk;
  std::optional<std::string> open_files;
  std::optional<std::string> timeout;
  bool operator==(const ToolDefaults&) const = default;
};

// Every limit as the key that it has in [tool.NAME.limits], which is the option's name.
inline constexpr std::pair<const char*, std::optional<std::string> ToolDefaults::*> kLimitKeys[] = {
    {"memory", &ToolDefaults::memory},
    {"swap", &ToolDefaults::swap},
    {"cpus", &ToolDefaults::cpus},
    {"cpu-time", &ToolDefaults::cpu_time},
    {"pids", &ToolDefaults::pids},
    {"io", &ToolDefaults::io},
    {"output-limit", &ToolDefaults::output_limit},
    {"disk", &ToolDefaults::disk},
    {"open-files", &ToolDefaults::open_files},
    {"timeout", &ToolDefaults::timeout}};

// At most `calls` in any stretch of time as long as `window`.
struct CallBudget {
  static constexpr uint32_t kMostCalls = 10'000;

  uint32_t calls = 0;
  std::chrono::seconds window{0};
  bool operator==(const CallBudget&) const = default;
};

// "100/h": calls per s, m, h or d. kInvalidArgument says what to write.
Result<CallBudget> ParseBudget(std::string_view text);
std::string BudgetText(const CallBudget& budget);

struct ToolMetadata {
  std::string name;
  std::string description;
  std::vector<Capability> capabilities;  // In the order of the enum, each once.
  Sensitivity sensitivity = Sensitivity::kMedium;
  std::vector<ToolExecutable> executables;
  ArgumentSchema arguments;
  ToolDefaults defaults;
  std::vector<std::string> environment;  // Names; a star at the end stands for any rest.
  std::vector<std::string> secrets;
  std::optional<CallBudget> calls;
  std::string source;  // The file that says so; empty for what is built in.
  bool operator==(const ToolMetadata&) const = default;
};

// The name of what no entry knows. [tool.unknown], which has no executables, says what holds for
// it; without one it is UnknownTool().
inline constexpr std::string_view kUnknownToolName = "unknown";

// It may do everything but use secrets, and is of medium sensitivity: what nobody has described is
// neither trusted nor asked for each time.
ToolMetadata UnknownTool();

// What one file says.
struct ToolFile {
  std::vector<ToolMetadata> tools;  // Sorted by name.
  std::optional<CallBudget> budget;
};

// `name` is for messages, which begin with "NAME:LINE:COLUMN: ". kInvalidArgument.
Result<ToolFile> ParseTools(std::string_view text, const std::string& name);

// Whether all of `text` matches; a star in `pattern` stands for any run of bytes.
bool MatchesPattern(std::string_view pattern, std::string_view text);

// kRefused where the words after the command are none that the tool may be given: says which word
// and why. `argv` has the command at its front.
Result<void> CheckArguments(const ToolMetadata& tool, std::span<const std::string> argv);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_TOOLS_TOOL_METADATA_H_
