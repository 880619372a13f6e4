// The command line of palyra-run.

#ifndef PALYRA_CLI_RUN_OPTIONS_H_
#define PALYRA_CLI_RUN_OPTIONS_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "engine/file_judge.h"
#include "engine/run_limits.h"
#include "engine/tier.h"
#include "policy/egress_mode.h"
#include "policy/shorthand.h"

namespace palyra::cli {

struct NetRule {
  policy::NetShorthand kind;
  std::string argument;
};

struct PathRule {
  policy::PathShorthand kind;
  std::string argument;
};

struct RunOptions {
  std::vector<std::string> policies;  // Files or directories.
  std::optional<std::string> entities;
  std::optional<std::string> schema;
  std::string agent = "unknown";
  std::optional<std::string> tool;       // Which entry of the registry the command has to be.
  std::vector<std::string> environment;  // NAME or NAME=VALUE.
  engine::Unheld unheld;                 // Promises that the run may go without.
  bool marks_stale = false;              // Rather than end: rules that would hold from the next on.
  std::optional<std::chrono::milliseconds> timeout;
  std::optional<std::chrono::milliseconds> hold;  // What policies ask about waits for so long.
  engine::RunLimits limits;
  std::optional<std::string> audit;
  uint32_t audit_allows = 0;  // One in so many allows is in the audit file; 0: none.
  std::optional<std::string> user;
  engine::Tier tier = engine::Tier::kCell;
  bool has_tier = false;  // It was asked for, and is no default.
  policy::EgressEnforcementMode egress = policy::EgressEnforcementMode::kStrict;
  bool has_egress = false;               // Likewise, or comes with the tier.
  std::vector<NetRule> net_rules;        // In the order of the command line.
  std::vector<std::string> unix_rules;   // --allow-unix.
  std::vector<PathRule> path_rules;      // Likewise in their order.
  std::optional<std::string> workspace;  // Else the directory where the command starts.
  std::optional<std::string> chdir;      // Where it starts; else the working directory.
  bool defaults = false;                 // Of files and programs.
  bool print_policy = false;
  bool report = false;
  bool dry_run = false;
  std::optional<std::string> report_file;  // --report=FILE: as JSON, in place of the terminal.
  std::optional<std::string> receipt;      // --receipt
  std::vector<std::string> command;        // Empty only with print_policy, report or dry_run.
};

// Text to print and leave with status 0: --help or --version.
struct HelpText {
  std::string text;
};

// `arguments` without argv[0]. kInvalidArgument names the option and what it takes.
Result<std::variant<RunOptions, HelpText>> ParseRunOptions(std::vector<std::string> arguments);

// "cell", …, with what follows from it. kInvalidArgument where that contradicts other options.
Result<void> SetTier(std::string_view name, RunOptions& options);

// "none", "all", "1/N" with N up to a million: one in how many, 0 for none.
Result<uint32_t> ParseSampling(std::string_view text);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_RUN_OPTIONS_H_
