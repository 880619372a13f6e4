// Trees and values back to Cedar text that parses to the same tree. Residuals in messages,
// `explain` and tests read it.

#ifndef PALYRA_POLICY_PRINTER_H_
#define PALYRA_POLICY_PRINTER_H_

#include <string>
#include <string_view>

#include "policy/ast.h"
#include "policy/value.h"

namespace palyra::policy {

// One line. An ErrorNode, which Cedar text has no form for, is printed as error("message").
std::string ToCedar(const Expr& expr);

// A value as the expression that makes it. Sets are in the order of their elements.
std::string ToCedar(const Value& value);

// Palyra::Agent::"bot"
std::string ToCedar(const EntityUid& uid);

// Annotations on lines of their own, then the policy, its `when` and `unless` on lines of their
// own; ends with ";" and no newline.
std::string ToCedar(const Policy& policy);

// With quotes, escaped as Cedar reads it back.
std::string QuoteString(std::string_view text);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_PRINTER_H_
