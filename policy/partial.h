// Partial evaluation: what is left to ask of a policy when a part of the request is not known yet.

#ifndef PALYRA_POLICY_PARTIAL_H_
#define PALYRA_POLICY_PARTIAL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/ast.h"
#include "policy/entities.h"
#include "policy/evaluator.h"

namespace palyra::policy {

struct Type;

// An attribute or a context field whose value is to come.
struct OpenAttr {
  std::string name;
  bool required = false;  // Surely there.
  // What its value surely is, for OutcomesOf; null where nothing is known of that. Borrowed.
  const Type* type = nullptr;
  int64_t least = INT64_MIN;  // Of a Long.
  int64_t most = INT64_MAX;
};

// What is known of an entity that comes with the request, as Request::event_entity does.
struct EntityShape {
  std::vector<OpenAttr> attributes;         // All that it can have.
  std::vector<std::string> ancestor_types;  // All types that its ancestors can have.
};

struct PartialEntity {
  std::optional<EntityUid> uid = std::nullopt;     // Nothing where it is to come.
  std::optional<std::string> type = std::nullopt;  // Of one that is to come, where that is known.
  // Of one that is to come and brings its data, which then stand before the store's; needs `type`.
  // Others are in the store.
  std::optional<EntityShape> shape = std::nullopt;
};

struct PartialRequest {
  PartialEntity principal;
  PartialEntity action;
  PartialEntity resource;
  RecordValue context;                 // The fields that are known,
  std::vector<OpenAttr> open_context;  // and those that may be there besides;
  bool context_unknown = false;        // or any may be: `open_context` says nothing then.
  // Attributes whose value is to come, of entities of the store: what the store says of them is not
  // asked.
  std::vector<std::pair<EntityUid, std::string>> open_attrs;
};

// Borrows what it is given.
class PartialEvaluator {
 public:
  PartialEvaluator(const PartialRequest& request, const EntityStore& entities);
  PartialEvaluator(const PartialEvaluator&) = delete;
  PartialEvaluator& operator=(const PartialEvaluator&) = delete;

  // For every request that completes the partial one, the residual evaluates as `expr` does: to the
  // same value, or both fail. What depends on nothing that is to come has become a constant or an
  // ErrorNode, and what &&, || and `if` can then never reach is gone.
  //
  // Left standing because it may be about the entity that is to come: attributes, tags and
  // ancestors of a constant entity of the type of one that brings its data.
  [[nodiscard]] ExprPtr Residual(const ExprPtr& expr);

 private:
  const PartialRequest& request_;
  Request known_;  // What the operators ask: of its parts only those that are known matter.
  EntityLookup lookup_;

  enum class Presence : uint8_t { kOpen, kAbsent, kThere, kKnown };
  // What is known of an attribute; the value where it is kKnown.
  struct AttrState {
    Presence presence = Presence::kOpen;
    const Value* value = nullptr;
  };

  [[nodiscard]] const PartialEntity* OpenEntity(const Expr& expr) const;
  [[nodiscard]] bool IsOpenContext(const Expr& expr) const;
  [[nodiscard]] bool IsWithheld(const Expr& expr) const;
  [[nodiscard]] AttrState StateOf(const Expr& object, const std::string& attr) const;

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
  // Null where nothing is known of the comparison.
  [[nodiscard]] ExprPtr ReduceEqual(Span span, BinaryOp op, const Expr& left,
                                    const Expr& right) const;
  [[nodiscard]] ExprPtr ReduceIn(Span span, const Expr& left, const Expr& right) const;
  ExprPtr ReduceHas(Span span, ExprPtr object, const std::vector<std::string>& path);
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_PARTIAL_H_
