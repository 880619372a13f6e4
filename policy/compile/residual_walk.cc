#include "policy/compile/residual_walk.h"

#include <algorithm>
#include <variant>

#include "policy/printer.h"

namespace palyra::policy {

bool HoldsEntity(const Value& value) {
  if (const SetValue* set = value.AsSet()) {
    return std::ranges::any_of(set->elements(), HoldsEntity);
  }
  if (const RecordValue* record = value.AsRecord()) {
    return std::ranges::any_of(record->fields(),
                               [](const RecordValue::Field& f) { return HoldsEntity(f.second); });
  }
  return value.AsEntity() != nullptr;
}

std::vector<ExprPtr> ChildrenOf(const Expr& expr) {
  struct Visitor {
    std::vector<ExprPtr> operator()(const Literal&) { return {}; }
    std::vector<ExprPtr> operator()(const VariableRef&) { return {}; }
    std::vector<ExprPtr> operator()(const ErrorNode&) { return {}; }
    std::vector<ExprPtr> operator()(const Unary& n) { return {n.operand}; }
    std::vector<ExprPtr> operator()(const Binary& n) { return {n.left, n.right}; }
    std::vector<ExprPtr> operator()(const And& n) { return n.operands; }
    std::vector<ExprPtr> operator()(const Or& n) { return n.operands; }
    std::vector<ExprPtr> operator()(const If& n) {
      return {n.condition, n.then_branch, n.else_branch};
    }
    std::vector<ExprPtr> operator()(const GetAttr& n) { return {n.object}; }
    std::vector<ExprPtr> operator()(const HasAttr& n) { return {n.object}; }
    std::vector<ExprPtr> operator()(const Like& n) { return {n.text}; }
    std::vector<ExprPtr> operator()(const Is& n) {
      return n.ancestor == nullptr ? std::vector{n.object} : std::vector{n.object, n.ancestor};
    }
    std::vector<ExprPtr> operator()(const SetLiteral& n) { return n.elements; }
    std::vector<ExprPtr> operator()(const RecordLiteral& n) {
      std::vector<ExprPtr> children;
      children.reserve(n.fields.size());
      for (const auto& field : n.fields) {
        children.push_back(field.second);
      }
      return children;
    }
    std::vector<ExprPtr> operator()(const Call& n) { return n.args; }
  };
  return std::visit(Visitor{}, expr.node);
}

// In a residual entities come from constants and from `resource` only.
bool MayYieldEntity(const Expr& expr) {
  if (const Value* value = ConstantOf(expr)) {
    return HoldsEntity(*value);
  }
  if (IsResource(expr)) {
    return true;
  }
  if (const auto* get = std::get_if<GetAttr>(&expr.node);
      get != nullptr && IsResource(*get->object)) {
    return false;
  }
  return std::ranges::any_of(ChildrenOf(expr), [](const ExprPtr& c) { return MayYieldEntity(*c); });
}

bool IsResource(const Expr& expr) {
  const auto* variable = std::get_if<VariableRef>(&expr.node);
  return variable != nullptr && variable->variable == Variable::kResource;
}

std::string Quoted(const Expr& residual) {
  constexpr size_t kMaxLength = 160;
  std::string text = ToCedar(residual);
  if (text.size() > kMaxLength) {
    size_t end = kMaxLength;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) {
      --end;
    }
    text = text.substr(0, end) + "…";
  }
  return '"' + text + '"';
}

}  // namespace palyra::policy
