// `palyra tool …`: the registry of tools.

#ifndef PALYRA_CLI_TOOL_COMMANDS_H_
#define PALYRA_CLI_TOOL_COMMANDS_H_

#include <CLI/App.hpp>

namespace palyra::cli {

// Adds `tool` with its verbs to `app`. A verb runs while the command line is parsed and leaves its
// exit status in `status`, which outlives `app`: 0; 1 if the registry is bad, or has no such tool.
void AddToolCommands(CLI::App& app, int& status);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_TOOL_COMMANDS_H_
