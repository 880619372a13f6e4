// The verbs of `palyra cedar` that decide or judge: authorize, partially-authorize,
// evaluate, validate.

#ifndef PALYRA_CLI_CEDAR_AUTHORIZE_VERBS_H_
#define PALYRA_CLI_CEDAR_AUTHORIZE_VERBS_H_

#include <CLI/App.hpp>

namespace palyra::cli {

// As AddCedarCommands.
void AddAuthorizeVerbs(CLI::App& cedar, int& status);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_CEDAR_AUTHORIZE_VERBS_H_
