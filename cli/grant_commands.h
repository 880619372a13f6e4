// `palyra grant`, `palyra grants`, `palyra revoke`: a person's answer where the rules of a live run
// say ask.

#ifndef PALYRA_CLI_GRANT_COMMANDS_H_
#define PALYRA_CLI_GRANT_COMMANDS_H_

#include <CLI/App.hpp>
namespace palyra::cli {

// Adds the verbs to `app`. A verb runs while the command line is parsed and leaves its exit status
// in `status`, which outlives `app`.
void AddGrantCommands(CLI::App& app, int& status);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_GRANT_COMMANDS_H_
