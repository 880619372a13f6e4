#include "policy/validate/scope_check.h"

#include <algorithm>

namespace palyra::policy {
namespace {

bool AreDeclared(const std::vector<EntityUid>& actions, const Schema& schema) {
  return std::ranges::all_of(
      actions, [&](const EntityUid& uid) { return schema.FindAction(uid) != nullptr; });
}

}  // namespace

ScopeFit FitOf(const Scope& scope, const EntityTypeInfo& type, const Schema& schema) {
  const auto fit = [](bool can) { return can ? ScopeFit::kMaybe : ScopeFit::kNever; };
  const bool has_type = scope.kind == Scope::Kind::kIs || scope.kind == Scope::Kind::kIsIn;
  if (scope.kind == Scope::Kind::kAny || (has_type && scope.type != type.name)) {
    return fit(!has_type);
  }
  if (scope.slot || scope.kind == Scope::Kind::kIs) {
    return ScopeFit::kMaybe;
  }
  const EntityUid& uid = scope.entities.front();
  const EntityTypeInfo* named = schema.FindEntityType(uid.type());
  if (named == nullptr || (named->is_action && schema.FindAction(uid) == nullptr)) {
    return ScopeFit::kUnknown;
  }
  return fit(scope.kind == Scope::Kind::kEqual ? named == &type : type.CanBeIn(*named));
}

ScopeFit FitOf(const Scope& scope, const ActionInfo& action, const Schema& schema) {
  if (scope.kind == Scope::Kind::kAny) {
    return ScopeFit::kMaybe;
  }
  if (scope.kind == Scope::Kind::kEqual) {
    return scope.entities.front() == action.uid ? ScopeFit::kMaybe : ScopeFit::kNever;
  }
  if (!AreDeclared(scope.entities, schema)) {
    return ScopeFit::kUnknown;
  }
  const bool can =
      std::ranges::any_of(scope.entities, [&](const EntityUid& uid) { return action.IsIn(uid); });
  return can ? ScopeFit::kMaybe : ScopeFit::kNever;
}

bool IsIllTyped(const Scope& action_scope, const Schema& schema) {
  const std::vector<EntityUid>& actions = action_scope.entities;
  if (action_scope.kind != Scope::Kind::kInSet) {
    return false;
  }
  const bool is_mixed = std::ranges::any_of(
      actions, [&](const EntityUid& uid) { return uid.type() != actions.front().type(); });
  return actions.empty() || (is_mixed && AreDeclared(actions, schema));
}

bool CanApply(const Policy& policy, const Schema& schema) {
  const auto can = [&](const Scope& scope) {
    return
        [&](const EntityTypeInfo* type) { return FitOf(scope, *type, schema) == ScopeFit::kMaybe; };
  };
  return std::ranges::any_of(schema.actions(), [&](const ActionInfo& action) {
    return FitOf(policy.action, action, schema) == ScopeFit::kMaybe &&
           std::ranges::any_of(action.principals, can(policy.principal)) &&
           std::ranges::any_of(action.resources, can(policy.resource));
  });
}

}  // namespace palyra::policy
