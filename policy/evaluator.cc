#include "policy/evaluator.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory_resource>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace palyra::policy {
namespace {

// What stands for the variables, as values.
struct Variables {
  const Value& principal;
  const Value& action;
  const Value& resource;
  const Value& context;

  [[nodiscard]] const Value* Of(Variable variable) const {
    switch (variable) {
      case Variable::kPrincipal:
        return &principal;
      case Variable::kAction:
        return &action;
      case Variable::kResource:
        return &resource;
      case Variable::kContext:
        return &context;
    }
    std::unreachable();
  }
};

// A set or record literal that is not constant, and so has to be made or taken apart.
template <typename Node>
const Node* OpenLiteral(const Expr& expr) {
  const Node* literal = std::get_if<Node>(&expr.node);
  return literal == nullptr || literal->constant ? nullptr : literal;
}

// One evaluation. A value is where it was found (in the expression, the request or the entities),
// or in `slot`, which the caller provides; null after a failure, whose error is then in `error_`.
class Evaluation {
 public:
  Evaluation(const Variables& variables, const EntityLookup& lookup)
      : variables_(variables), lookup_(lookup) {}

  // NOLINTNEXTLINE(readability-convert-member-functions-to-static): most overloads of On are not.
  const Value* Evaluate(const Expr& expr, Value& slot) {
    return std::visit([&](const auto& node) { return On(node, expr, slot); }, expr.node);
  }

  // Fails where the value is no Bool.
  const Value* EvaluateBool(const Expr& expr, Value& slot) {
    const Value* value = Evaluate(expr, slot);
    if (value != nullptr && value->AsBool() == nullptr) {
      return Fail(
          {.span = expr.span,
           .message = "type error: expected bool, found " + std::string(KindName(value->kind()))});
    }
    return value;
  }

  EvalError TakeError() { return *std::move(error_); }

 private:
  // The memory of so many elements of a literal comes from the stack.
  static constexpr size_t kElementsOnStack = 16;

  Variables variables_;
  const EntityLookup& lookup_;
  std::optional<EvalError> error_;

  static Value Empty() { return Value::Bool(false); }

  static const Value* Keep(Value value, Value& slot) {
    slot = std::move(value);
    return &slot;
  }

  const Value* Fail(EvalError error) {
    error_ = std::move(error);
    return nullptr;
  }

  const Value* Keep(EvalResult result, Value& slot) {
    return result ? Keep(*std::move(result), slot) : Fail(std::move(result).error());
  }

  static const Value* On(const Literal& n, const Expr& /*expr*/, Value& /*slot*/) {
    return &n.value;
  }

  const Value* On(const VariableRef& n, const Expr& /*expr*/, Value& /*slot*/) {
    return variables_.Of(n.variable);
  }

  const Value* On(const Unary& n, const Expr& expr, Value& slot) {
    return WithOperand(*n.operand, n.op == UnaryOp::kIsEmpty, [&](const Operand& operand) {
      return Keep(ApplyUnary(n.op, operand, expr.span), slot);
    });
  }

  const Value* On(const Binary& n, const Expr& expr, Value& slot) {
    const bool of_sets = n.op == BinaryOp::kContainsAll || n.op == BinaryOp::kContainsAny;
    const bool left = of_sets || n.op == BinaryOp::kContains;
    const bool right = of_sets || n.op == BinaryOp::kIn;
    return WithOperand(*n.left, left, [&](const Operand& a) {
      return WithOperand(*n.right, right, [&](const Operand& b) {
        return Keep(ApplyBinary(n.op, a, b, lookup_, expr.span), slot);
      });
    });
  }

  const Value* On(const And& n, const Expr& /*expr*/, Value& slot) {
    return Chain(n.operands, false, slot);
  }
  const Value* On(const Or& n, const Expr& /*expr*/, Value& slot) {
    return Chain(n.operands, true, slot);
  }

  const Value* On(const If& n, const Expr& /*expr*/, Value& slot) {
    const Value* condition = EvaluateBool(*n.condition, slot);
    if (condition == nullptr) {
      return nullptr;
    }
    return Evaluate(*condition->AsBool() ? *n.then_branch : *n.else_branch, slot);
  }

  const Value* On(const GetAttr& n, const Expr& expr, Value& slot) {
    if (const auto* record = OpenLiteral<RecordLiteral>(*n.object)) {
      bool found = false;
      return EvaluateField(*record, n.attr, slot, found) ? found ? &slot : FailWithout(n, expr)
                                                         : nullptr;
    }
    Value object_slot = Empty();
    const Value* object = Evaluate(*n.object, object_slot);
    if (object == nullptr) {
      return nullptr;
    }
    const Value* attr = FindAttr(*object, n.attr, lookup_);
    if (attr == nullptr) {
      return Fail(MissingAttr(*object, n.attr, lookup_, expr.span));
    }
    // A record that was made on the way ends here.
    return object == &object_slot && object->AsRecord() != nullptr ? Keep(Value(*attr), slot)
                                                                   : attr;
  }

  const Value* On(const HasAttr& n, const Expr& expr, Value& slot) {
    if (const auto* record = OpenLiteral<RecordLiteral>(*n.object)) {
      Value field = Empty();
      bool found = false;
      if (!EvaluateField(*record, n.path.front(), field, found)) {
        return nullptr;
      }
      return found
                 ? Keep(ApplyHasAttr(field, std::span(n.path).subspan(1), lookup_, expr.span), slot)
                 : Keep(Value::Bool(false), slot);
    }
    return With(*n.object, [&](const Value& object) {
      return Keep(ApplyHasAttr(object, n.path, lookup_, expr.span), slot);
    });
  }

  const Value* On(const Like& n, const Expr& expr, Value& slot) {
    return With(*n.text, [&](const Value& text) {
      return Keep(ApplyLike(text, n.pattern, expr.span), slot);
    });
  }

  const Value* On(const Is& n, const Expr& expr, Value& slot) {
    return With(*n.object, [&](const Value& object) -> const Value* {
      const Value* is_type = Keep(ApplyIsType(object, n.type, expr.span), slot);
      if (is_type == nullptr || !*is_type->AsBool() || n.ancestor == nullptr) {
        return is_type;
      }
      return WithOperand(*n.ancestor, true, [&](const Operand& ancestor) {
        return Keep(ApplyBinary(BinaryOp::kIn, object, ancestor, lookup_, expr.span), slot);
      });
    });
  }

  const Value* On(const SetLiteral& n, const Expr& /*expr*/, Value& slot) {
    if (n.constant) {
      return &*n.constant;
    }
    std::vector<Value> elements;
    elements.reserve(n.elements.size());
    return EvaluateAll(n.elements, elements) ? Keep(Value::Set(std::move(elements)), slot)
                                             : nullptr;
  }

  const Value* On(const RecordLiteral& n, const Expr& /*expr*/, Value& slot) {
    if (n.constant) {
      return &*n.constant;
    }
    std::vector<RecordValue::Field> fields;
    fields.reserve(n.fields.size());
    for (const auto& [key, expr] : n.fields) {
      Value field_slot = Empty();
      const Value* value = Evaluate(*expr, field_slot);
      if (value == nullptr) {
        return nullptr;
      }
      fields.emplace_back(key, *value);
    }
    return Keep(Value::Record(std::move(fields)), slot);
  }

  const Value* On(const Call& n, const Expr& expr, Value& slot) {
    if (n.constant) {
      return &*n.constant;
    }
    return WithElements(n.args, [&](std::span<const Value> args) {
      return Keep(ApplyCall(n.function, args, expr.span), slot);
    });
  }

  const Value* On(const ErrorNode& n, const Expr& expr, Value& /*slot*/) {
    return Fail({.span = expr.span, .message = n.message});
  }

  // `use` of the operand's value, unless there is none.
  template <typename Use>
  const Value* With(const Expr& operand, const Use& use) {
    Value slot = Empty();
    const Value* value = Evaluate(operand, slot);
    return value == nullptr ? nullptr : use(*value);
  }

  // The same, but a set literal is not built where the operator takes its elements.
  template <typename Use>
  const Value* WithOperand(const Expr& operand, bool takes_elements, const Use& use) {
    const auto* set = takes_elements ? OpenLiteral<SetLiteral>(operand) : nullptr;
    if (set != nullptr && set->elements.size() <= kElementsOnStack) {
      return WithElements(set->elements,
                          [&](std::span<const Value> elements) { return use(Operand(elements)); });
    }
    return With(operand, [&](const Value& value) { return use(Operand(value)); });
  }

  template <typename Use>
  const Value* WithElements(const std::vector<ExprPtr>& exprs, const Use& use) {
    alignas(Value) std::array<std::byte, kElementsOnStack * sizeof(Value)> buffer;
    std::pmr::monotonic_buffer_resource memory(buffer.data(), buffer.size());
    std::pmr::vector<Value> values(&memory);
    values.reserve(exprs.size());
    return EvaluateAll(exprs, values) ? use(values) : nullptr;
  }

  // The first operand that is `decisive` decides.
  const Value* Chain(const std::vector<ExprPtr>& operands, bool decisive, Value& slot) {
    for (const ExprPtr& operand : operands) {
      const Value* value = EvaluateBool(*operand, slot);
      if (value == nullptr || *value->AsBool() == decisive) {
        return value;
      }
    }
    return Keep(Value::Bool(!decisive), slot);
  }

  // False after a failure.
  template <typename Values>
  bool EvaluateAll(const std::vector<ExprPtr>& exprs, Values& values) {
    for (const ExprPtr& expr : exprs) {
      Value slot = Empty();
      const Value* value = Evaluate(*expr, slot);
      if (value == nullptr) {
        return false;
      }
      values.push_back(*value);
    }
    return true;
  }

  // All fields in their order, since each may fail; into `slot` the one of this name, where there
  // is one. False after a failure.
  bool EvaluateField(const RecordLiteral& record, const std::string& name, Value& slot,
                     bool& found) {
    for (const auto& [key, expr] : record.fields) {
      Value field_slot = Empty();
      const Value* value = Evaluate(*expr, field_slot);
      if (value == nullptr) {
        return false;
      }
      if (key == name) {
        slot = *value;
        found = true;
      }
    }
    return true;
  }

  const Value* FailWithout(const GetAttr& n, const Expr& expr) {
    return Fail(MissingAttr(Value::Record({}), n.attr, lookup_, expr.span));
  }
};

}  // namespace

Evaluator::Evaluator(const EntityLookup& lookup)
    : lookup_(lookup),
      principal_(Value::Entity(lookup.request().principal)),
      action_(Value::Entity(lookup.request().action)),
      resource_(Value::Entity(lookup.request().resource)) {}

EvalResult Evaluator::Evaluate(const Expr& expr) const {
  Evaluation evaluation({principal_, action_, resource_, lookup_.request().context}, lookup_);
  Value slot = Value::Bool(false);
  const Value* value = evaluation.Evaluate(expr, slot);
  if (value == nullptr) {
    return std::unexpected(evaluation.TakeError());
  }
  return *value;
}

std::expected<bool, EvalError> Evaluator::Holds(const Expr& expr) const {
  Evaluation evaluation({principal_, action_, resource_, lookup_.request().context}, lookup_);
  Value slot = Value::Bool(false);
  const Value* value = evaluation.EvaluateBool(expr, slot);
  if (value == nullptr) {
    return std::unexpected(evaluation.TakeError());
  }
  return *value->AsBool();
}

}  // namespace palyra::policy
