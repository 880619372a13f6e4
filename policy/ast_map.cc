#include "policy/ast_map.h"

#include <utility>
#include <variant>

namespace palyra::policy {
namespace {

class Mapper {
 public:
  explicit Mapper(const std::function<ExprPtr(const ExprPtr&)>& replace) : replace_(replace) {}

  ExprPtr Map(const ExprPtr& expr) const {
    if (ExprPtr replaced = replace_(expr)) {
      return replaced;
    }
    Expr::Node node = expr->node;
    const bool changed = std::visit([&](auto& parts) { return MapParts(parts); }, node);
    return changed ? MakeExpr(expr->span, std::move(node)) : expr;
  }

 private:
  const std::function<ExprPtr(const ExprPtr&)>& replace_;

  bool MapOne(ExprPtr& part) const {
    if (part == nullptr) {
      return false;
    }
    ExprPtr mapped = Map(part);
    const bool changed = mapped != part;
    part = std::move(mapped);
    return changed;
  }

  bool MapAll(std::vector<ExprPtr>& parts) const {
    bool changed = false;
    for (ExprPtr& part : parts) {
      changed = MapOne(part) || changed;
    }
    return changed;
  }

  static bool MapParts(Literal& /*node*/) { return false; }
  static bool MapParts(VariableRef& /*node*/) { return false; }
  static bool MapParts(ErrorNode& /*node*/) { return false; }
  bool MapParts(Unary& node) const { return MapOne(node.operand); }
  bool MapParts(Binary& node) const {
    const bool changed = MapOne(node.left);
    return MapOne(node.right) || changed;
  }
  bool MapParts(And& node) const { return MapAll(node.operands); }
  bool MapParts(Or& node) const { return MapAll(node.operands); }
  bool MapParts(If& node) const {
    bool changed = MapOne(node.condition);
    changed = MapOne(node.then_branch) || changed;
    return MapOne(node.else_branch) || changed;
  }
  bool MapParts(GetAttr& node) const { return MapOne(node.object); }
  bool MapParts(HasAttr& node) const { return MapOne(node.object); }
  bool MapParts(Like& node) const { return MapOne(node.text); }
  bool MapParts(Is& node) const {
    const bool changed = MapOne(node.object);
    return MapOne(node.ancestor) || changed;
  }
  bool MapParts(SetLiteral& node) const { return MapAll(node.elements); }
  bool MapParts(RecordLiteral& node) const {
    bool changed = false;
    for (auto& [key, field] : node.fields) {
      changed = MapOne(field) || changed;
    }
    return changed;
  }
  bool MapParts(Call& node) const { return MapAll(node.args); }
};

}  // namespace

ExprPtr MapExpr(const ExprPtr& expr, const std::function<ExprPtr(const ExprPtr&)>& replace) {
  return Mapper(replace).Map(expr);
}

}  // namespace palyra::policy
