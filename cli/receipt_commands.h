// `palyra receipt …`: what runs leave behind, verified.

#ifndef PALYRA_CLI_RECEIPT_COMMANDS_H_
#define PALYRA_CLI_RECEIPT_COMMANDS_H_

#include <CLI/App.hpp>

namespace palyra::cli {

// Adds `receipt` with its verbs to `app`. A verb runs while the command line is parsed and leaves
// its exit status in `status`, which outlives `app`: 0; 1 for a receipt that does not verify; 2 if
// it could not try.
void AddReceiptCommands(CLI::App& app, int& status);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_RECEIPT_COMMANDS_H_
