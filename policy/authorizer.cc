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
};

Outcome EvaluateAll(const PolicySet& policies, const Request& request,
                    const EntityStore& entities) {
  const Evaluator evaluator(request, entities);
  Outcome outcome;
  for (size_t i = 0; i < policies.size(); ++i) {
    const Policy& policy = policies[i].policy;
    EvalResult result = evaluator.Evaluate(*policy.whole);
    if (!result) {
      outcome.errors.push_back({.policy = i, .error = std::move(result).error()});
    } else if (*result->AsBool()) {
      (policy.effect == Effect::kForbid ? outcome.forbids : outcome.permits).push_back(i);
    }
  }
  return outcome;
}

}  // namespace

Response Authorize(const PolicySet& policies, const Request& request, const EntityStore& entities) {
  Outcome outcome = EvaluateAll(policies, request, entities);
  if (!outcome.forbids.empty()) {
    return {Decision::kDeny, std::move(outcome.forbids), std::move(outcome.errors)};
  }
  if (!outcome.permits.empty()) {
    return {Decision::kAllow, std::move(outcome.permits), std::move(outcome.errors)};
  }
  return {Decision::kDeny, {}, std::move(outcome.errors)};
}

Judgement Judge(const PolicySet& policies, const Request& request, const EntityStore& entities) {
  Outcome outcome = EvaluateAll(policies, request, entities);
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

}  // namespace palyra::policy
