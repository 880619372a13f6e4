// The verbs of `palyra cedar` that read policies or schemas and write them: check-parse, format,
// link, translate-policy, translate-schema.

#ifndef PALYRA_CLI_CEDAR_TEXT_VERBS_H_
#define PALYRA_CLI_CEDAR_TEXT_VERBS_H_

#include <CLI/App.hpp>

namespace palyra::cli {

// As AddCedarCommands.
void AddTextVerbs(CLI::App& cedar, int& status);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_CEDAR_TEXT_VERBS_H_
