// "palyra held" and "palyra refuse": which calls of live runs wait for an answer, and an answer.

#ifndef PALYRA_CLI_HELD_COMMANDS_H_
#define PALYRA_CLI_HELD_COMMANDS_H_

#include <CLI/CLI.hpp>

namespace palyra::cli {

// Adds them; `status` gets the exit status of the one that is called.
void AddHeldCommands(CLI::App& app, int& status);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_HELD_COMMANDS_H_
