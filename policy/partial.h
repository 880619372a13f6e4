// Partial evaluation: a policy for one principal, action and context, with the endpoint unknown.

#ifndef PALYRA_POLICY_PARTIAL_H_
#define PALYRA_POLICY_PARTIAL_H_

#include <vector>

#include "policy/ast.h"
#include "policy/entities.h"
#include "policy/evaluator.h"

namespace palyra::policy {

// Borrows what it is given. `request.resource` is a name that is never asked about.
class PartialEvaluator {
 public:
  PartialEvaluator(const Request& request, const EntityStore& entities)
      : request_(request), entities_(entities) {}

  // For every endpoint, the residual evaluates as `expr` does: to the same value, or both fail.
  // Everything that does not depend on the endpoint has become a constant or an ErrorNode, and what
  // &&, || and `if` can then never reach is gone.
  //
  // Left standing although nothing kernel-side is asked, because it may be about the endpoint's own
  // name: attributes, tags and ancestors of an entity of type Palyra::Endpoint that a policy or the
  // data names.
  [[nodiscard]] ExprPtr Residual(const ExprPtr& expr);

  // Places where `resource has domain` became false.
  [[nodiscard]] const std::vector<Span>& domain_tests() const { return domain_tests_; }

 private:
  const Request& request_;
  const EntityStore& entities_;
  std::vector<Span> domain_tests_;

  static ExprPtr Reduce(const ExprPtr& expr, const Literal& node);
  static ExprPtr Reduce(const ExprPtr& expr, const ErrorNode& node);
  ExprPtr Reduce(const ExprPtr& expr, const VariableRef& node);
  ExprPtr Reduce(const ExprPtr& expr, const Unary& node);
  ExprPtr Reduce(const ExprPtr& expr, const Binary& node);
  ExprPtr Reduce(const ExprPtr& expr, const And& node);
  ExprPtr Reduce(const ExprPtr& expr, const Or& node);
  ExprPtr Reduce(const ExprPtr& expr, const If& node);
  ExprPtr Reduce(const ExprPtr& expr, const GetAttr& node);
  ExprPtr Reduce(const ExprPtr& expr, const HasAttr& node);
  ExprPtr Reduce(const ExprPtr& expr, const Like& node);
  ExprPtr Reduce(const ExprPtr& expr, const Is& node);
  ExprPtr Reduce(const ExprPtr& expr, const SetLiteral& node);
  ExprPtr Reduce(const ExprPtr& expr, const RecordLiteral& node);
  ExprPtr Reduce(const ExprPtr& expr, const Call& node);

  ExprPtr ReduceChain(Span span, const std::vector<ExprPtr>& operands, bool is_and);
  ExprPtr ReduceBinary(Span span, BinaryOp op, ExprPtr left, ExprPtr right);
  ExprPtr ReduceHas(Span span, ExprPtr object, const std::vector<std::string>& path);
};

// Whether this is the variable `resource` itself.
bool IsResource(const Expr& expr);

// Whether this is an entity of type Palyra::Endpoint that is named as a constant.
bool IsNamedEndpoint(const Expr& expr);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_PARTIAL_H_
