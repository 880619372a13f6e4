// Looking through residuals.

#ifndef PALYRA_POLICY_COMPILE_RESIDUAL_WALK_H_
#define PALYRA_POLICY_COMPILE_RESIDUAL_WALK_H_

#include <string>
#include <vector>

#include "policy/ast.h"

namespace palyra::policy {

// Something to say about a sub-expression: why it cannot be lowered, or what is odd about it.
struct Finding {
  std::string code;  // "LOW-REL", …: stable.
  Span span;
  std::string message;
  std::string hint;
};

// The direct parts of an expression, left to right.
std::vector<ExprPtr> ChildrenOf(const Expr& expr);

// Whether this is the variable `resource` itself.
bool IsResource(const Expr& expr);

// Whether `value` is an entity or holds one.
bool HoldsEntity(const Value& value);

// Whether an entity may come out of this expression. In a residual entities come from constants and
// from `resource` only; attributes of the event's own resource hold none.
bool MayYieldEntity(const Expr& expr);

// Cedar text of a residual for a message, in quotes, cut where it is long.
std::string Quoted(const Expr& residual);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_RESIDUAL_WALK_H_
