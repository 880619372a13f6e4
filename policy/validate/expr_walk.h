// All parts of an expression.

#ifndef PALYRA_POLICY_VALIDATE_EXPR_WALK_H_
#define PALYRA_POLICY_VALIDATE_EXPR_WALK_H_

#include <functional>

#include "policy/ast.h"

namespace palyra::policy {

// Calls `visit` for the expressions that `expr` is made of, left to right, not for those in them.
void ForEachChild(const Expr& expr, const std::function<void(const Expr&)>& visit);

// Calls `visit` for `expr` and for every expression in it, outer before inner, left to right.
void ForEachPart(const Expr& expr, const std::function<void(const Expr&)>& visit);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_VALIDATE_EXPR_WALK_H_
