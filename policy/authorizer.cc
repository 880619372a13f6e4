#include "policy/authorizer.h"

#include <algorithm>
#include <expected>
#include <utility>

namespace palyra::policy {
namespace {

// The policies that count for a request, each list ascending.
struct Outcome {
  std::vector<size_t> forbids;
  std::vector<size_t> permits;
  std::vector<PolicyError> errors;

  void Satisfied(const PolicySet& policies, size_t policy) {
    (policies[policy].policy.effect == Effect::kForbid ? forbids : permits).push_back(policy);
  }

  // Of a policy whose scope holds.
  void AskCondition(const PolicySet& policies, size_t policy, const Evaluator& evaluator) {
    const ExprPtr& condition = policies[policy].policy.condition;
    if (condition == nullptr) {
      Satisfied(policies, policy);
      return;
    }
    std::expected<bool, EvalError> holds = evaluator.Holds(*condition);
    if (!holds) {
      errors.push_back({.policy = policy, .error = std::move(holds).error()});
    } else if (*holds) {
      Satisfied(policies, policy);
    }
  }
};

// `entity` is null where it does not exist.
bool Holds(const Scope& scope, const EntityUid& uid, const Entity* entity) {
  const auto is_in = [&](const EntityUid& other) {
    return uid == other || (entity != nullptr && entity->ancestors.contains(other));
  };
  switch (scope.kind) {
    case Scope::Kind::kAny:
      return true;
    case Scope::Kind::kEqual:
      return uid == scope.entities.at(0);
    case Scope::Kind::kIn:
    case Scope::Kind::kInSet:
      return std::ranges::any_of(scope.entities, is_in);
    case Scope::Kind::kIs:
      return uid.type() == scope.type;
    case Scope::Kind::kIsIn:
      return uid.type() == scope.type && is_in(scope.entities.at(0));
  }
  std::unreachable();
}

bool ScopesHold(const Policy& policy, const EntityLookup& lookup) {
  const Request& request = lookup.request();
  return Holds(policy.principal, request.principal, lookup.principal()) &&
         Holds(policy.action, request.action, lookup.action()) &&
         Holds(policy.resource, request.resource, lookup.resource());
}

Outcome AskAll(const PolicySet& policies, const Request& request, const EntityStore& entities) {
  const EntityLookup lookup(request, entities);
  const Evaluator evaluator(lookup);
  Outcome outcome;
  for (size_t i = 0; i < policies.size(); ++i) {
    if (ScopesHold(policies[i].policy, lookup)) {
      outcome.AskCondition(policies, i, evaluator);
    }
  }
  return outcome;
}

Outcome AskMatching(const PolicySet& policies, const ScopeIndex& index, const Request& request,
                    const EntityStore& entities) {
  const EntityLookup lookup(request, entities);
  const Evaluator evaluator(lookup);
  Outcome outcome;
  index.ForEachMatch(lookup,
                     [&](size_t policy) { outcome.AskCondition(policies, policy, evaluator); });
  std::ranges::sort(outcome.forbids);
  std::ranges::sort(outcome.permits);
  std::ranges::sort(outcome.errors, {}, &PolicyError::policy);
  return outcome;
}

Response Respond(Outcome outcome) {
  if (!outcome.forbids.empty()) {
    return {Decision::kDeny, std::move(outcome.forbids), std::move(outcome.errors)};
  }
  if (!outcome.permits.empty()) {
    return {Decision::kAllow, std::move(outcome.permits), std::move(outcome.errors)};
  }
  return {Decision::kDeny, {}, std::move(outcome.errors)};
}

Judgement JudgeBy(const PolicySet& policies, Outcome outcome) {
  const auto is_forbid = [&](size_t i) { return policies[i].policy.effect == Effect::kForbid; };
  for (const PolicyError& error : outcome.errors) {
    if (is_forbid(error.policy)) {
      outcome.forbids.push_back(error.policy);
    }
  }
  if (!outcome.forbids.empty()) {
    std::ranges::sort(outcome.forbids);
    return {Verdict::kDeny, std::move(outcome.forbids), std::move(outcome.errors)};
  }
  if (!outcome.permits.empty()) {
    Verdict verdict = Verdict::kDeny;
    for (const size_t i : outcome.permits) {
      verdict = std::max(verdict, VerdictOf(policies[i].policy));
    }
    return {verdict, std::move(outcome.permits), std::move(outcome.errors)};
  }
  return {Verdict::kDeny, {}, std::move(outcome.errors)};
}

}  // namespace

Verdict VerdictOf(const Policy& policy) {
  if (policy.effect == Effect::kForbid) {
    return Verdict::kDeny;
  }
  if (policy.asks()) {
    return Verdict::kAsk;
  }
  return policy.verifies() ? Verdict::kVerify : Verdict::kAllow;
}

Response Authorize(const PolicySet& policies, const Request& request, const EntityStore& entities) {
  return Respond(AskAll(policies, request, entities));
}

Judgement Judge(const PolicySet& policies, const Request& request, const EntityStore& entities) {
  return JudgeBy(policies, AskAll(policies, request, entities));
}

Judgement JudgeAmong(const PolicySet& policies, std::span<const size_t> candidates,
                     const Request& request, const EntityStore& entities) {
  const EntityLookup lookup(request, entities);
  const Evaluator evaluator(lookup);
  Outcome outcome;
  for (const size_t policy : candidates) {
    if (ScopesHold(policies[policy].policy, lookup)) {
      outcome.AskCondition(policies, policy, evaluator);
    }
  }
  return JudgeBy(policies, std::move(outcome));
}

Authorizer::Authorizer(const PolicySet& policies)
    : policies_(policies), index_(policies.policies()) {}

Response Authorizer::Authorize(const Request& request, const EntityStore& entities) const {
  return Respond(AskMatching(policies_, index_, request, entities));
}

Judgement Authorizer::Judge(const Request& request, const EntityStore& entities) const {
  return JudgeBy(policies_, AskMatching(policies_, index_, request, entities));
}

}  // namespace palyra::policy
