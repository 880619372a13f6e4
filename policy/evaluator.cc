#include "policy/evaluator.h"

#include <array>
#include <span>
#include <utility>
#include <vector>

namespace palyra::policy {
namespace {

// The value of one expression node; its operands come from the evaluator.
class NodeVisitor {
 public:
  NodeVisitor(const Evaluator& evaluator, const Request& request, const EntityStore& entities,
              Span span)
      : evaluator_(evaluator), request_(request), entities_(entities), span_(span) {}

  EvalResult operator()(const Literal& n) const { return n.value; }

  EvalResult operator()(const VariableRef& n) const {
    switch (n.variable) {
      case Variable::kPrincipal:
        return Value::Entity(request_.principal);
      case Variable::kAction:
        return Value::Entity(request_.action);
      case Variable::kResource:
        return Value::Entity(request_.resource);
      case Variable::kContext:
        return request_.context;
    }
    std::unreachable();
  }

  EvalResult operator()(const Unary& n) const {
    return With(*n.operand, [&](const Value& v) { return ApplyUnary(n.op, v, span_); });
  }

  EvalResult operator()(const Binary& n) const {
    return WithBoth(*n.left, *n.right, [&](const Value& left, const Value& right) {
      return ApplyBinary(n.op, left, right, request_, entities_, span_);
    });
  }

  EvalResult operator()(const And& n) const { return Chain(n.operands, false); }
  EvalResult operator()(const Or& n) const { return Chain(n.operands, true); }

  EvalResult operator()(const If& n) const {
    const EvalResult condition = EvaluateBool(*n.condition);
    if (!condition) {
      return condition;
    }
    return evaluator_.Evaluate(*condition->AsBool() ? *n.then_branch : *n.else_branch);
  }

  EvalResult operator()(const GetAttr& n) const {
    return With(*n.object, [&](const Value& object) {
      return ApplyGetAttr(object, n.attr, request_, entities_, span_);
    });
  }

  EvalResult operator()(const HasAttr& n) const {
    return With(*n.object, [&](const Value& object) {
      return ApplyHasAttr(object, n.path, request_, entities_, span_);
    });
  }

  EvalResult operator()(const Like& n) const {
    return With(*n.text, [&](const Value& text) { return ApplyLike(text, n.pattern, span_); });
  }

  EvalResult operator()(const Is& n) const {
    return With(*n.object, [&](const Value& object) {
      EvalResult is_type = ApplyIsType(object, n.type, span_);
      if (!is_type || !*is_type->AsBool() || n.ancestor == nullptr) {
        return is_type;
      }
      return With(*n.ancestor, [&](const Value& ancestor) {
        return ApplyBinary(BinaryOp::kIn, object, ancestor, request_, entities_, span_);
      });
    });
  }

  EvalResult operator()(const SetLiteral& n) const {
    if (n.constant) {
      return *n.constant;
    }
    auto elements = EvaluateAll(n.elements);
    return elements ? EvalResult(Value::Set(*std::move(elements)))
                    : std::unexpected(std::move(elements).error());
  }

  EvalResult operator()(const RecordLiteral& n) const {
    if (n.constant) {
      return *n.constant;
    }
    std::vector<RecordValue::Field> fields;
    fields.reserve(n.fields.size());
    for (const auto& [key, expr] : n.fields) {
      EvalResult value = evaluator_.Evaluate(*expr);
      if (!value) {
        return value;
      }
      fields.emplace_back(key, *std::move(value));
    }
    return Value::Record(std::move(fields));
  }

  EvalResult operator()(const Call& n) const {
    if (n.constant) {
      return *n.constant;
    }
    if (n.args.size() == 1) {
      return With(*n.args[0], [&](const Value& arg) {
        return ApplyCall(n.function, std::span(&arg, 1), span_);
      });
    }
    if (n.args.size() == 2) {
      return WithBoth(*n.args[0], *n.args[1], [&](const Value& first, const Value& second) {
        return ApplyCall(n.function, std::array{first, second}, span_);
      });
    }
    const auto args = EvaluateAll(n.args);
    return args ? ApplyCall(n.function, *args, span_) : std::unexpected(args.error());
  }

  EvalResult operator()(const ErrorNode& n) const {
    return std::unexpected(EvalError{.span = span_, .message = n.message});
  }

 private:
  // `use` of the operand's value, or its error.
  template <typename Use>
  EvalResult With(const Expr& operand, const Use& use) const {
    if (const Value* held = evaluator_.Borrow(operand)) {
      return use(*held);
    }
    const EvalResult value = evaluator_.Evaluate(operand);
    return value ? use(*value) : value;
  }

  template <typename Use>
  EvalResult WithBoth(const Expr& first, const Expr& second, const Use& use) const {
    return With(first, [&](const Value& a) {
      return With(second, [&](const Value& b) { return use(a, b); });
    });
  }

  [[nodiscard]] EvalResult EvaluateBool(const Expr& expr) const {
    EvalResult value = evaluator_.Evaluate(expr);
    if (value && value->AsBool() == nullptr) {
      return std::unexpected(EvalError{
          .span = expr.span,
          .message = "type error: expected bool, found " + std::string(KindName(value->kind()))});
    }
    return value;
  }

  // The first operand that is `decisive` decides.
  [[nodiscard]] EvalResult Chain(const std::vector<ExprPtr>& operands, bool decisive) const {
    for (const ExprPtr& operand : operands) {
      EvalResult value = EvaluateBool(*operand);
      if (!value || *value->AsBool() == decisive) {
        return value;
      }
    }
    return Value::Bool(!decisive);
  }

  [[nodiscard]] std::expected<std::vector<Value>, EvalError> EvaluateAll(
      const std::vector<ExprPtr>& exprs) const {
    std::vector<Value> values;
    values.reserve(exprs.size());
    for (const ExprPtr& expr : exprs) {
      EvalResult value = evaluator_.Evaluate(*expr);
      if (!value) {
        return std::unexpected(std::move(value).error());
      }
      values.push_back(*std::move(value));
    }
    return values;
  }

  const Evaluator& evaluator_;
  const Request& request_;
  const EntityStore& entities_;
  Span span_;
};

}  // namespace

Evaluator::Evaluator(const Request& request, const EntityStore& entities)
    : request_(request),
      entities_(entities),
      principal_(Value::Entity(request.principal)),
      action_(Value::Entity(request.action)),
      resource_(Value::Entity(request.resource)) {}

const Value* Evaluator::Borrow(const Expr& expr) const {
  if (const auto* reference = std::get_if<VariableRef>(&expr.node)) {
    switch (reference->variable) {
      case Variable::kPrincipal:
        return &principal_;
      case Variable::kAction:
        return &action_;
      case Variable::kResource:
        return &resource_;
      case Variable::kContext:
        return &request_.context;
    }
  }
  if (const auto* get = std::get_if<GetAttr>(&expr.node)) {
    const Value* object = Borrow(*get->object);
    return object == nullptr ? nullptr : FindAttr(*object, get->attr, request_, entities_);
  }
  return ConstantOf(expr);
}

EvalResult Evaluator::Evaluate(const Expr& expr) const {
  return std::visit(NodeVisitor(*this, request_, entities_, expr.span), expr.node);
}

}  // namespace palyra::policy
