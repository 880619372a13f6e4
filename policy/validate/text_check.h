// Text in policies that may not be what it looks like.
// https://www.unicode.org/reports/tr39/

#ifndef PALYRA_POLICY_VALIDATE_TEXT_CHECK_H_
#define PALYRA_POLICY_VALIDATE_TEXT_CHECK_H_

#include <string_view>

#include "policy/ast.h"
#include "policy/validate/findings.h"

namespace palyra::policy {

// Whether one script has all characters of `text`. Japanese, Korean and Chinese writing are one
// script each.
bool IsSingleScript(std::string_view text);

// Warns of strings and names with characters that change the direction of text, or that mix
// scripts, and of names with characters that identifiers should not have.
void CheckTexts(const Policy& policy, Findings& findings);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_VALIDATE_TEXT_CHECK_H_
