// What the residuals of a partial request can still come to.

#ifndef PALYRA_POLICY_OUTCOMES_H_
#define PALYRA_POLICY_OUTCOMES_H_

#include "policy/ast.h"
#include "policy/partial.h"

namespace palyra::policy {

// Over the completions of a request that keep to what is declared of the unknown: types, bounds and
// presence. What is false here happens for none of them.
struct Outcomes {
  bool may_be_true = true;
  bool may_be_false = true;
  bool may_error = true;  // A value that is no Bool is an error.
  bool operator==(const Outcomes&) const = default;
};

// Of a residual of `request`, with which it was made. `has`, hasTag and types are followed through
// &&, ||, ! and `if`, numbers by their bounds. So `may_error` is exact for unknown attributes whose
// type is declared: an attribute that is optional and not tested before, an operand of another
// kind, arithmetic that leaves 64 bits for some value within the bounds.
//
// Taken for possible although it may not be: each combination of values where one unknown stands
// twice (context.n - context.n) or is compared before (context.n < 9 && …); an attribute that is
// there although `has` was false; any value, or none, for attributes and tags of entities that are
// not of the request, and any value for unknown attributes without a declared type; and that a
// constructor refuses a text that is not known.
Outcomes OutcomesOf(const Expr& residual, const PartialRequest& request);

inline bool MayError(const Expr& residual, const PartialRequest& request) {
  return OutcomesOf(residual, request).may_error;
}

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_OUTCOMES_H_
