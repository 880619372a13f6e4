// A tree with some of its parts replaced.

#ifndef PALYRA_POLICY_AST_MAP_H_
#define PALYRA_POLICY_AST_MAP_H_

#include <functional>

#include "policy/ast.h"

namespace palyra::policy {

// Asks `replace` of every part, from the root on: what it gives stands there; where it gives null
// the part stays, and its own parts are asked for. Parts without a replacement are shared.
ExprPtr MapExpr(const ExprPtr& expr, const std::function<ExprPtr(const ExprPtr&)>& replace);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_AST_MAP_H_
