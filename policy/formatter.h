// Policy text in the house form: the same tokens and comments, with other white space.

#ifndef PALYRA_POLICY_FORMATTER_H_
#define PALYRA_POLICY_FORMATTER_H_

#include <expected>
#include <string>
#include <vector>

#include "policy/layout.h"
#include "policy/source.h"

namespace palyra::policy {

// A head or a condition that fits stands on one line, else its parts have lines of their own. One
// empty line between policies; an empty line around a comment before a policy stays. Formatting
// what is formatted changes nothing. Text that does not parse gives the errors of ParsePolicies.
std::expected<std::string, std::vector<Diagnostic>> FormatPolicies(
    const SourcePtr& source, const FormatOptions& options = {});

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_FORMATTER_H_
