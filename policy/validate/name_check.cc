#include "policy/validate/name_check.h"

#include <optional>
#include <string>

#include "policy/printer.h"
#include "policy/validate/expr_walk.h"

namespace palyra::policy {
namespace {

bool IsActionType(const std::string& type) {
  return type == "Action" || type.ends_with("::Action");
}

// A declared name that differs from `name` only in its namespace.
std::optional<std::string> SuggestType(const std::string& name, const Schema& schema) {
  const auto base = [](const std::string& full) {
    const size_t colons = full.rfind("::");
    return colons == std::string::npos ? full : full.substr(colons + 2);
  };
  for (const EntityTypeInfo& info : schema.entity_types()) {
    if (!info.is_action && base(info.name) == base(name)) {
      return "did you mean `" + info.name + "`?";
    }
  }
  return std::nullopt;
}

void CheckType(const std::string& type, Span span, const Schema& schema, Findings& findings) {
  if (!IsActionType(type) && schema.FindEntityType(type) == nullptr) {
    findings.Add(FindingKind::kUnknownEntityType, span,
                 "the schema has no entity type `" + type + "`", SuggestType(type, schema));
  }
}

void CheckUid(const EntityUid& uid, Span span, const Schema& schema, Findings& findings) {
  if (IsActionType(uid.type())) {
    if (schema.FindAction(uid) == nullptr) {
      findings.Add(FindingKind::kUnknownAction, span, "the schema has no action " + ToCedar(uid));
    }
    return;
  }
  CheckType(uid.type(), span, schema, findings);
  const EntityTypeInfo* info = schema.FindEntityType(uid.type());
  if (info != nullptr && !info->AllowsId(uid.id())) {
    findings.Add(FindingKind::kUnlistedEntity, span,
                 ToCedar(uid) + " is not one of the entities that its type lists");
  }
}

void CheckScope(const Scope& scope, const Schema& schema, Findings& findings) {
  for (const EntityUid& uid : scope.entities) {
    CheckUid(uid, scope.span, schema, findings);
  }
  if (!scope.type.empty()) {
    CheckType(scope.type, scope.span, schema, findings);
  }
}

}  // namespace

void CheckNames(const Policy& policy, const Schema& schema, Findings& findings) {
  for (const Scope* scope : {&policy.principal, &policy.action, &policy.resource}) {
    CheckScope(*scope, schema, findings);
  }
  for (const Condition& condition : policy.conditions) {
    ForEachPart(*condition.body, [&](const Expr& part) {
      if (const auto* literal = std::get_if<Literal>(&part.node)) {
        if (const EntityUid* uid = literal->value.AsEntity()) {
          CheckUid(*uid, part.span, schema, findings);
        }
      } else if (const auto* is = std::get_if<Is>(&part.node)) {
        CheckType(is->type, part.span, schema, findings);
      }
    });
  }
}

void CheckSlotValues(const PlacedPolicy& policy, const Schema& schema, Findings& findings) {
  for (const std::optional<EntityUid>* uid :
       {&policy.link->values.principal, &policy.link->values.resource}) {
    if (*uid) {
      CheckType((*uid)->type(), policy.policy.span, schema, findings);
    }
  }
}

}  // namespace palyra::policy
