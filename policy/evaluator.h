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

// The entities that a request asks about. Borrows both; thread-safe as long as they do not change.
class EntityLookup {
 public:
  EntityLookup(const Request& request, const EntityStore& entities)
      : request_(request),
        entities_(entities),
        principal_(FindAnywhere(request.principal)),
        action_(FindAnywhere(request.action)),
        resource_(FindAnywhere(request.resource)) {}

  [[nodiscard]] const Request& request() const { return request_; }

  // Of the request's variables; null where they do not exist.
  [[nodiscard]] const Entity* principal() const { return principal_; }
  [[nodiscard]] const Entity* action() const { return action_; }
  [[nodiscard]] const Entity* resource() const { return resource_; }

  // The request's own entity or the store's; null where there is neither.
  [[nodiscard]] const Entity* Find(const EntityUid& uid) const {
    if (uid == request_.principal) {
      return principal_;
    }
    return uid == request_.resource ? resource_ : FindAnywhere(uid);
  }

 private:
  [[nodiscard]] const Entity* FindAnywhere(const EntityUid& uid) const;

  const Request& request_;
  const EntityStore& entities_;
  const Entity* principal_;
  const Entity* action_;
  const Entity* resource_;
};

struct EvalError {
  Span span;  // Of the expression that failed, in the source of its policy.
  std::string message;
  bool operator==(const EvalError&) const = default;
};

using EvalResult = std::expected<Value, EvalError>;

// Borrows what it is given; thread-safe as long as that does not change.
class Evaluator {
 public:
  explicit Evaluator(const EntityLookup& lookup);
  Evaluator(const Request& request, const EntityStore& entities)
      : Evaluator(EntityLookup(request, entities)) {}

  // Short-circuits &&, || and if; everything else is strict, left to right. Recurses at most
  // `expr.height` deep. Allocates for messages of errors, and for sets and records that are made of
  // what is not constant; but neither for a set of up to 16 elements that is the left side of
  // contains, containsAll, containsAny or isEmpty, or the right side of `in`, containsAll or
  // containsAny, nor for a record whose attribute is asked for on the spot.
  [[nodiscard]] EvalResult Evaluate(const Expr& expr) const;

  // The same where a Bool has to come out; another value is an error.
  [[nodiscard]] std::expected<bool, EvalError> Holds(const Expr& expr) const;

 private:
  EntityLookup lookup_;
  Value principal_;
  Value action_;
  Value resource_;
};

// What a set operator is applied to: a value, or the elements of a set that is not built for it, in
// any order and any number of times. Borrows either.
class Operand {
 public:
  Operand(const Value& value) : value_(&value) {}  // NOLINT(google-explicit-constructor)
  explicit Operand(std::span<const Value> elements) : elements_(elements) {}

  // Null where this is a set that is not built.
  [[nodiscard]] const Value* value() const { return value_; }
  [[nodiscard]] ValueKind kind() const { return value_ ? value_->kind() : ValueKind::kSet; }
  [[nodiscard]] bool is_set() const { return kind() == ValueKind::kSet; }
  // Of a set.
  [[nodiscard]] std::span<const Value> elements() const;
  [[nodiscard]] bool Contains(const Value& element) const;

 private:
  const Value* value_ = nullptr;
  std::span<const Value> elements_;
};

// The operators on values, for partial evaluation too: an operator gives the same answer there.
// `span` goes into the error.
EvalResult ApplyUnary(UnaryOp op, const Operand& operand, Span span);
// Not built may be: the left side of contains, containsAll and containsAny, and the right side of
// `in`, containsAll and containsAny.
EvalResult ApplyBinary(BinaryOp op, const Operand& left, const Operand& right,
                       const EntityLookup& lookup, Span span);
EvalResult ApplyCall(Function function, std::span<const Value> args, Span span);
EvalResult ApplyLike(const Value& text, const Pattern& pattern, Span span);
EvalResult ApplyIsType(const Value& object, const std::string& type, Span span);

// The attribute of a record or of an entity; null where there is none, or `object` is neither.
const Value* FindAttr(const Value& object, const std::string& attr, const EntityLookup& lookup);
// The error of `object.attr` where FindAttr gives null.
EvalError MissingAttr(const Value& object, const std::string& attr, const EntityLookup& lookup,
                      Span span);
EvalResult ApplyHasAttr(const Value& object, std::span<const std::string> path,
                        const EntityLookup& lookup, Span span);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_EVALUATOR_H_
