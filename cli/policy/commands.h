// `palyra policy …`: what policies mean, before and while they are in force.

#ifndef PALYRA_CLI_POLICY_COMMANDS_H_
#define PALYRA_CLI_POLICY_COMMANDS_H_

#include <CLI/App.hpp>

namespace palyra::cli {

// Adds `policy` with its verbs to `app`. A verb runs while the command line is parsed and leaves
// its exit status in `status`, which outlives `app`: 0 if all is well; 1 if policies are refused,
// tables are wrong or a diff is not empty; 2 if it could not try.
void AddPolicyCommands(CLI::App& app, int& status);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_POLICY_COMMANDS_H_
