// What the verbs of `palyra cedar` print.

#ifndef PALYRA_CLI_CEDAR_VERB_OUTPUT_H_
#define PALYRA_CLI_CEDAR_VERB_OUTPUT_H_

#include <string_view>

#include "base/result.h"

namespace palyra::cli {

// On standard output, as it is. A closed stream is not our failure.
void Print(std::string_view text);

// The message on standard error, with control characters but line ends shown as \xNN; gives
// kStatusFailure.
int Complain(const Error& error);

// From now on Complain writes {"message": …, "severity": "error"}, on one line. For the one option
// that all verbs share, before any of them runs.
void ComplainInJson();

}  // namespace palyra::cli

#endif  // PALYRA_CLI_CEDAR_VERB_OUTPUT_H_
