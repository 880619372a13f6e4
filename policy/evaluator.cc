#include "policy/evaluator.h"

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
    const EvalResult operand = evaluator_.Evaluate(*n.operand);
    return operand ? ApplyUnary(n.op, *operand, span_) : operand;
  }

  EvalResult operator()(const Binary& n) const {
    const EvalResult left = evaluator_.Evaluate(*n.left);
    if (!left) {
      return left;
    }
    const EvalResult right = evaluator_.Evaluate(*n.right);
    return right ? ApplyBinary(n.op, *left, *right, request_, entities_, span_) : right;
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
    const EvalResult object = evaluator_.Evaluate(*n.object);
    return object ? ApplyGetAttr(*object, n.attr, request_, entities_, span_) : object;
  }

  EvalResult operator()(const HasAttr& n) const {
    const EvalResult object = evaluator_.Evaluate(*n.object);
    return object ? ApplyHasAttr(*object, n.path, request_, entities_, span_) : object;
  }

  EvalResult operator()(const Like& n) const {
    const EvalResult text = evaluator_.Evaluate(*n.text);
    return text ? ApplyLike(*text, n.pattern, span_) : text;
  }

  EvalResult operator()(const Is& n) const {
    const EvalResult object = evaluator_.Evaluate(*n.object);
    if (!object) {
      return object;
    }
    EvalResult is_type = ApplyIsType(*object, n.type, span_);
    if (!is_type || !*is_type->AsBool() || n.ancestor == nullptr) {
      return is_type;
    }
    const EvalResult ancestor = evaluator_.Evaluate(*n.ancestor);
    return ancestor ? ApplyBinary(BinaryOp::kIn, *object, *ancestor, request_, entities_, span_)
                    : ancestor;
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
    const auto args = EvaluateAll(n.args);
    return args ? ApplyCall(n.function, *args, span_) : std::unexpected(args.error());
  }

  EvalResult operator()(const ErrorNode& n) const {
    return std::unexpected(EvalError{.span = span_, .message = n.message});
  }

 private:
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

EvalResult Evaluator::Evaluate(const Expr& expr) const {
  return std::visit(NodeVisitor(*this, request_, entities_, expr.span), expr.node);
}

}  // namespace palyra::policy
