// Words that mean something in Cedar.

#ifndef PALYRA_POLICY_NAMES_H_
#define PALYRA_POLICY_NAMES_H_

#include <optional>
#include <string_view>

#include "policy/ast.h"

namespace palyra::policy {

// ASCII letters, digits and `_`, not beginning with a digit.
bool IsIdentifier(std::string_view text);

// Identifiers that name nothing unless quoted: true, false, if, then, else, in, is, like, has,
// __cedar.
bool IsReserved(std::string_view identifier);

// An identifier that is not reserved: what names an attribute without quotes.
bool IsBareName(std::string_view name);

// Whether entities of this type are actions: its last part is Action.
bool IsActionType(std::string_view type);

std::string_view NameOf(Variable variable);
std::string_view NameOf(BinaryOp op);  // The operator, or the method's name.

std::optional<Variable> FindVariable(std::string_view name);

// The method of every value that takes one argument and is a binary operator in the tree.
std::optional<BinaryOp> FindMethodOperator(std::string_view name);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_NAMES_H_
