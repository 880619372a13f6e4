#include "policy/authorizer.h"

#include <algorithm>
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

  // Evaluates what the policy, or its rest, says.
  void Ask(const PolicySet& policies, size_t policy, const Expr& condition,
           const Evaluator& evaluator) {
    EvalResult result = evaluator.Evaluate(condition);
    if (!result) {
      errors.push_back({.policy = policy, .error = std::move(result).error()});
    } else if (*result->AsBool()) {
      Satisfied(policies, policy);
    }
  }
};

Outcome AskAll(const PolicySet& policies, const Request& request, const EntityStore& entities) {
  const Evaluator evaluator(request, entities);
  Outcome outcome;
  for (size_t i = 0; i < policies.size(); ++i) {
    outcome.Ask(policies, i, *policies[i].policy.whole, evaluator);
  }
  return outcome;
}

Outcome AskMatching(const PolicySet& policies, const ScopeIndex& index,
                    const std::vector<ExprPtr>& conditions, const Request& request,
                    const EntityStore& entities) {
  const Evaluator evaluator(request, entities);
  Outcome outcome;
  index.ForEachMatch(request, entities, [&](size_t policy) {
    if (const ExprPtr& condition = conditions[policy]; condition != nullptr) {
      outcome.Ask(policies, policy, *condition, evaluator);
    } else {
      outcome.Satisfied(policies, policy);
    }
  });
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
    const bool all_ask =
        std::ranges::all_of(outcome.permits, [&](size_t i) { return policies[i].policy.asks(); });
    return {all_ask ? Verdict::kAsk : Verdict::kAllow, std::move(outcome.permits),
            std::move(outcome.errors)};
  }
  return {Verdict::kDeny, {}, std::move(outcome.errors)};
}

}  // namespace

Response Authorize(const PolicySet& policies, const Request& request, const EntityStore& entities) {
  return Respond(AskAll(policies, request, entities));
}

Judgement Judge(const PolicySet& policies, const Request& request, const EntityStore& entities) {
  return JudgeBy(policies, AskAll(policies, request, entities));
}

Judgement JudgeAmong(const PolicySet& policies, std::span<const size_t> candidates,
                     const Request& request, const EntityStore& entities) {
  const Evaluator evaluator(request, entities);
  Outcome outcome;
  for (const size_t policy : candidates) {
    outcome.Ask(policies, policy, *policies[policy].policy.whole, evaluator);
  }
  return JudgeBy(policies, std::move(outcome));
}

Authorizer::Authorizer(const PolicySet& policies)
    : policies_(policies), index_(policies.policies()) {
  conditions_.reserve(policies.size());
  for (const PlacedPolicy& placed : policies.policies()) {
    conditions_.push_back(ConditionBeyondScope(placed.policy));
  }
}

Response Authorizer::Authorize(const Request& request, const EntityStore& entities) const {
  return Respond(AskMatching(policies_, index_, conditions_, request, entities));
}

Judgement Authorizer::Judge(const Request& request, const EntityStore& entities) const {
  return JudgeBy(policies_, AskMatching(policies_, index_, conditions_, request, entities));
}

}  // namespace palyra::policy
