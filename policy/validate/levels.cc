#include "policy/validate/levels.h"

#include <algorithm>
#include <string>
#include <utility>

#include "policy/validate/expr_walk.h"

namespace palyra::policy {
namespace {

bool IsStep(BinaryOp op) {
  return op == BinaryOp::kIn || op == BinaryOp::kHasTag || op == BinaryOp::kGetTag;
}

}  // namespace

bool LevelChecker::IsEntity(const Expr& expr) const {
  const auto found = types_.find(&expr);
  return found != types_.end() && found->second->kind == TypeKind::kEntity;
}

void LevelChecker::ReportPast(uint32_t level, Span span) {
  if (level >= max_level_) {
    findings_.Add(FindingKind::kLevelExceeded, span,
                  "this needs level " + std::to_string(level + 1) +
                      ", so many steps from entity to entity, and only " +
                      std::to_string(max_level_) + " is allowed");
  }
}

void LevelChecker::CheckStep(const Expr& from, Span span) { ReportPast(LevelOf(from, {}), span); }

void LevelChecker::CheckScope(const Scope& scope) {
  if (scope.kind == Scope::Kind::kIn || scope.kind == Scope::Kind::kInSet ||
      scope.kind == Scope::Kind::kIsIn) {
    ReportPast(0, scope.span);
  }
}

uint32_t LevelChecker::LevelOfNamed(const Expr& expr, const Literal& literal) {
  const EntityUid* uid = literal.value.AsEntity();
  if (uid != nullptr && *uid != env_.action->uid) {
    findings_.Add(FindingKind::kLiteralDereference, expr.span,
                  "a step to an attribute, tag or ancestor cannot begin at an entity that the "
                  "policy names",
                  "begin at principal, action, resource or context");
  }
  return 0;
}

uint32_t LevelChecker::LevelOfField(const RecordLiteral& record, Wanted wanted) {
  uint32_t level = 0;
  const std::string_view name = wanted.empty() ? std::string_view() : wanted.back();
  if (!wanted.empty()) {
    wanted.pop_back();
  }
  for (const auto& [key, value] : record.fields) {
    if (key == name) {
      level = LevelOf(*value, wanted);
    } else {
      CheckExpr(*value);
    }
  }
  return level;
}

uint32_t LevelChecker::LevelOf(const Expr& expr, Wanted wanted) {
  if (const auto* literal = std::get_if<Literal>(&expr.node)) {
    return LevelOfNamed(expr, *literal);
  }
  if (const auto* choice = std::get_if<If>(&expr.node)) {
    CheckExpr(*choice->condition);
    uint32_t level = 0;
    for (const ExprPtr& branch : {choice->then_branch, choice->else_branch}) {
      level = IsReached(*branch) ? std::max(level, LevelOf(*branch, wanted)) : level;
    }
    return level;
  }
  if (const auto* access = std::get_if<GetAttr>(&expr.node)) {
    if (IsEntity(*access->object)) {
      return LevelOf(*access->object, std::move(wanted)) + 1;
    }
    wanted.emplace_back(access->attr);
    return LevelOf(*access->object, std::move(wanted));
  }
  if (const auto* tag = std::get_if<Binary>(&expr.node)) {
    CheckExpr(*tag->right);
    return LevelOf(*tag->left, std::move(wanted)) + 1;
  }
  const auto* record = std::get_if<RecordLiteral>(&expr.node);
  return record == nullptr ? 0 : LevelOfField(*record, std::move(wanted));
}

// `object has a.b` is a step for each entity on the way.
void LevelChecker::CheckHas(const Expr& expr, const HasAttr& node) {
  const Type* type = types_.at(node.object.get());
  if (type->kind != TypeKind::kEntity) {
    CheckExpr(*node.object);
  }
  uint32_t level = 0;
  bool is_based = false;  // `level` counts from the request.
  for (const std::string& attr : node.path) {
    if (type->kind == TypeKind::kEntity) {
      if (!std::exchange(is_based, true)) {
        Wanted wanted;
        for (const std::string& before : node.path) {
          if (&before == &attr) break;
          wanted.insert(wanted.begin(), before);
        }
        level = LevelOf(*node.object, std::move(wanted));
      }
      ReportPast(level, expr.span);
      ++level;
    }
    const AttributeType* found = type->kind == TypeKind::kEntity
                                     ? type->entities.front()->shape->FindAttribute(attr)
                                     : type->FindAttribute(attr);
    if (found == nullptr) {
      return;
    }
    type = found->type;
  }
}

void LevelChecker::CheckExpr(const Expr& expr) {
  if (!IsReached(expr)) {
    return;
  }
  if (const auto* has = std::get_if<HasAttr>(&expr.node)) {
    CheckHas(expr, *has);
    return;
  }
  if (const auto* access = std::get_if<GetAttr>(&expr.node); access && IsEntity(*access->object)) {
    CheckStep(*access->object, expr.span);
    return;
  }
  if (const auto* binary = std::get_if<Binary>(&expr.node); binary && IsStep(binary->op)) {
    CheckStep(*binary->left, expr.span);
    CheckExpr(*binary->right);
    return;
  }
  if (const auto* is = std::get_if<Is>(&expr.node)) {
    CheckExpr(*is->object);
    if (is->ancestor != nullptr && IsReached(*is->ancestor)) {
      CheckStep(*is->object, expr.span);
      CheckExpr(*is->ancestor);
    }
    return;
  }
  ForEachChild(expr, [&](const Expr& child) { CheckExpr(child); });
}

}  // namespace palyra::policy
