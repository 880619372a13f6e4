// `palyra cedar …`: Cedar for people and for tools, without a sandbox.

#ifndef PALYRA_CLI_CEDAR_COMMANDS_H_
#define PALYRA_CLI_CEDAR_COMMANDS_H_

#include <CLI/App.hpp>

namespace palyra::cli {

// Adds `cedar` with its verbs to `app`. A verb runs while the command line is parsed and leaves its
// exit status in `status`, which outlives `app`.
void AddCedarCommands(CLI::App& app, int& status);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_CEDAR_COMMANDS_H_
