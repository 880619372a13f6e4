// What a Cedar expression is for a request.
// Normative text: cedar-spec, Cedar/Spec/Evaluator.lean.

#ifndef PALYRA_POLICY_EVALUATOR_H_
#define PALYRA_POLICY_EVALUATOR_H_

#include <expected>
#include <memory>
#include <span>
#include <string>

#include "policy/ast.h"
#include "policy/entities.h"
#include "policy/value.h"

namespace palyra::policy {

struct Request {
  EntityUid principal;
  EntityUid action;
  EntityUid resource;
  Value context;  // A record.
  // An entity that comes with the request (the endpoint of a connection) and stands before the
  // store's entity of the same name. May be null; its ancestors are taken as complete.
  std::shared_ptr<const Entity> event_entity = nullptr;
};

// The request's own entity or the store's; null where there is neither.
const Entity* FindEntity(const EntityUid& uid, const Request& request, const EntityStore& entities);

struct EvalError {
  Span span;  // Of the expression that failed, in the source of its policy.
  std::string message;
  bool operator==(const EvalError&) const = default;
};

using EvalResult = std::expected<Value, EvalError>;

// Borrows both; thread-safe as long as they do not change.
class Evaluator {
 public:
  Evaluator(const Request& request, const EntityStore& entities);

  // Short-circuits &&, || and if; everything else is strict, left to right. Recurses at most
  // `expr.height` deep.
  [[nodiscard]] EvalResult Evaluate(const Expr& expr) const;

  // The value of `expr` without a copy, where something that outlives the evaluation holds it: a
  // constant, a variable, an attribute of either. Null for every other expression, and where
  // evaluation fails.
  [[nodiscard]] const Value* Borrow(const Expr& expr) const;

 private:
  const Request& request_;
  const EntityStore& entities_;
  Value principal_;
  Value action_;
  Value resource_;
};

// The operators on values, for partial evaluation too: an operator gives the same answer there.
// `span` goes into the error. `request` lends only its event entity.
EvalResult ApplyUnary(UnaryOp op, const Value& operand, Span span);
EvalResult ApplyBinary(BinaryOp op, const Value& left, const Value& right, const Request& request,
                       const EntityStore& entities, Span span);
EvalResult ApplyCall(Function function, std::span<const Value> args, Span span);
EvalResult ApplyLike(const Value& text, const Pattern& pattern, Span span);
EvalResult ApplyIsType(const Value& object, const std::string& type, Span span);

// The attribute of a record or of an entity; null where there is none, or `object` is neither.
const Value* FindAttr(const Value& object, const std::string& attr, const Request& request,
                      const EntityStore& entities);
EvalResult ApplyGetAttr(const Value& object, const std::string& attr, const Request& request,
                        const EntityStore& entities, Span span);
EvalResult ApplyHasAttr(const Value& object, const std::vector<std::string>& path,
                        const Request& request, const EntityStore& entities, Span span);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_EVALUATOR_H_
