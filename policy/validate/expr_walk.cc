#include "policy/validate/expr_walk.h"

namespace palyra::policy {
namespace {

template <typename... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};

}  // namespace

void ForEachChild(const Expr& expr, const std::function<void(const Expr&)>& visit) {
  const auto each = [&](const ExprPtr& part) {
    if (part != nullptr) {
      visit(*part);
    }
  };
  const auto all = [&](const std::vector<ExprPtr>& parts) {
    for (const ExprPtr& part : parts) {
      each(part);
    }
  };
  std::visit(Overloaded{
                 [](const Literal&) {},
                 [](const VariableRef&) {},
                 [](const ErrorNode&) {},
                 [&](const Unary& node) { each(node.operand); },
                 [&](const Binary& node) {
                   each(node.left);
                   each(node.right);
                 },
                 [&](const And& node) { all(node.operands); },
                 [&](const Or& node) { all(node.operands); },
                 [&](const If& node) {
                   each(node.condition);
                   each(node.then_branch);
                   each(node.else_branch);
                 },
                 [&](const GetAttr& node) { each(node.object); },
                 [&](const HasAttr& node) { each(node.object); },
                 [&](const Like& node) { each(node.text); },
                 [&](const Is& node) {
                   each(node.object);
                   each(node.ancestor);
                 },
                 [&](const SetLiteral& node) { all(node.elements); },
                 [&](const RecordLiteral& node) {
                   for (const auto& [key, value] : node.fields) {
                     each(value);
                   }
                 },
                 [&](const Call& node) { all(node.args); },
             },
             expr.node);
}

void ForEachPart(const Expr& expr, const std::function<void(const Expr&)>& visit) {
  visit(expr);
  ForEachChild(expr, [&](const Expr& part) { ForEachPart(part, visit); });
}

}  // namespace palyra::policy
