#include "policy/validate/validator.h"

#include <algorithm>

#include "policy/validate/findings.h"
#include "policy/validate/levels.h"
#include "policy/validate/name_check.h"
#include "policy/validate/scope_check.h"
#include "policy/validate/text_check.h"
#include "policy/validate/typechecker.h"

namespace palyra::policy {
namespace {

class PolicyValidator {
 public:
  PolicyValidator(const Schema& schema, const ValidationOptions& options)
      : schema_(schema), options_(options) {}

  // A static policy or a template.
  void ValidatePolicy(const PlacedPolicy& placed, ValidationReport& report);
  // What a link adds to its template.
  void ValidateLink(const PlacedPolicy& placed, ValidationReport& report);

 private:
  void CheckActionList(const Policy& policy, Findings& findings);
  void CheckTypes(const Policy& policy, Findings& findings);
  // False where the policy can never hold for such requests.
  bool CheckEnv(const Policy& policy, const RequestEnv& env, Findings& findings);
  void CheckApplication(const Policy& policy, Findings& findings);
  // Calls `visit` with each kind of request that the scope can hold for.
  void ForEachEnv(const Policy& policy, auto visit);
  static void Hand(const Findings& findings, ValidationReport& report);

  const Schema& schema_;
  const ValidationOptions& options_;
};

void PolicyValidator::Hand(const Findings& findings, ValidationReport& report) {
  for (const Diagnostic& diagnostic : findings.diagnostics()) {
    (diagnostic.severity == Severity::kError ? report.errors : report.warnings)
        .push_back(diagnostic);
  }
}

void PolicyValidator::ForEachEnv(const Policy& policy, auto visit) {
  const bool any_action =
      options_.mode == ValidationMode::kStrict && IsIllTyped(policy.action, schema_);
  for (const ActionInfo& action : schema_.actions()) {
    if (!any_action && FitOf(policy.action, action, schema_) == ScopeFit::kNever) {
      continue;
    }
    for (const EntityTypeInfo* principal : action.principals) {
      if (FitOf(policy.principal, *principal, schema_) == ScopeFit::kNever) {
        continue;
      }
      for (const EntityTypeInfo* resource : action.resources) {
        if (FitOf(policy.resource, *resource, schema_) != ScopeFit::kNever) {
          visit(RequestEnv{.action = &action, .principal = principal, .resource = resource});
        }
      }
    }
  }
}

bool PolicyValidator::CheckEnv(const Policy& policy, const RequestEnv& env, Findings& findings) {
  TypeArena arena;
  Typechecker checker(schema_, options_.mode, env, arena, findings);
  const Typechecker::Answer answer = checker.CheckConditions(policy.conditions);
  return answer.type == nullptr || answer.type->kind != TypeKind::kFalse;
}

void PolicyValidator::CheckActionList(const Policy& policy, Findings& findings) {
  const bool is_reached = std::ranges::any_of(schema_.actions(), [&](const ActionInfo& action) {
    return !action.resources.empty() &&
           std::ranges::any_of(action.principals, [&](const EntityTypeInfo* principal) {
             return FitOf(policy.principal, *principal, schema_) != ScopeFit::kNever;
           });
  });
  if (options_.mode != ValidationMode::kStrict || !is_reached ||
      !IsIllTyped(policy.action, schema_)) {
    return;
  }
  if (policy.action.entities.empty()) {
    findings.Add(FindingKind::kEmptySet, policy.action.span,
                 "an empty list of actions has no type");
  } else {
    findings.Add(FindingKind::kIncompatibleTypes, policy.action.span,
                 "the actions of a list must be of one type",
                 "write one policy for the actions of each namespace");
  }
}

void PolicyValidator::CheckTypes(const Policy& policy, Findings& findings) {
  CheckActionList(policy, findings);
  bool can_hold = false;
  ForEachEnv(policy, [&](const RequestEnv& env) {
    can_hold = CheckEnv(policy, env, findings) || can_hold;
  });
  if (!can_hold) {
    findings.Add(FindingKind::kImpossiblePolicy, policy.span,
                 "this policy can hold for no request");
  }
  if (!options_.max_level || findings.has_errors()) {
    return;
  }
  ForEachEnv(policy, [&](const RequestEnv& env) {
    TypeArena arena;
    TypeMap types;
    Typechecker(schema_, options_.mode, env, arena, findings, &types)
        .CheckConditions(policy.conditions);
    LevelChecker levels(env, types, *options_.max_level, findings);
    for (const Scope* scope : {&policy.principal, &policy.action, &policy.resource}) {
      levels.CheckScope(*scope);
    }
    for (const Condition& condition : policy.conditions) {
      levels.CheckExpr(*condition.body);
    }
  });
}

void PolicyValidator::CheckApplication(const Policy& policy, Findings& findings) {
  if (!CanApply(policy, schema_)) {
    findings.Add(FindingKind::kNeverApplies, policy.span,
                 "no action of this scope applies to its principal and resource");
  }
}

void PolicyValidator::ValidatePolicy(const PlacedPolicy& placed, ValidationReport& report) {
  Findings findings(placed);
  CheckNames(placed.policy, schema_, findings);
  CheckApplication(placed.policy, findings);
  CheckTypes(placed.policy, findings);
  CheckTexts(placed.policy, findings);
  Hand(findings, report);
}

void PolicyValidator::ValidateLink(const PlacedPolicy& placed, ValidationReport& report) {
  Findings findings(placed);
  CheckSlotValues(placed, schema_, findings);
  CheckApplication(placed.policy, findings);
  Hand(findings, report);
}

}  // namespace

ValidationReport Validate(const PolicySet& policies, const Schema& schema,
                          const ValidationOptions& options) {
  PolicyValidator validator(schema, options);
  ValidationReport report;
  for (const PlacedPolicy& placed : policies.policies()) {
    placed.link ? validator.ValidateLink(placed, report) : validator.ValidatePolicy(placed, report);
  }
  for (const PlacedPolicy& placed : policies.templates()) {
    validator.ValidatePolicy(placed, report);
  }
  return report;
}

}  // namespace palyra::policy
