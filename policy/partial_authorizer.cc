#include "policy/partial_authorizer.h"

#include <algorithm>
#include <utility>

namespace palyra::policy {
namespace {

// Over what is satisfied, and what may be: a forbid that is satisfied comes first, then what has no
// chance of a permit, then what a forbid may still undo.
std::optional<Decision> Decide(const PolicySet& policies, const PartialResponse& response) {
  const auto has = [&](size_t i, Effect effect) { return policies[i].policy.effect == effect; };
  const auto satisfied = [&](Effect effect) {
    return std::ranges::any_of(response.satisfied, [&](size_t i) { return has(i, effect); }) ||
           std::ranges::any_of(response.residuals, [&](const ResidualPolicy& r) {
             return has(r.policy, effect) && !r.outcomes.may_be_false && !r.outcomes.may_error;
           });
  };
  const auto possible = [&](Effect effect) {
    return std::ranges::any_of(response.residuals, [&](const ResidualPolicy& r) {
      return has(r.policy, effect) && r.outcomes.may_be_true;
    });
  };
  if (satisfied(Effect::kForbid) || !(satisfied(Effect::kPermit) || possible(Effect::kPermit))) {
    return Decision::kDeny;
  }
  if (possible(Effect::kForbid) || !satisfied(Effect::kPermit)) {
    return std::nullopt;
  }
  return Decision::kAllow;
}

}  // namespace

PartialResponse PartiallyAuthorize(const PolicySet& policies, const PartialRequest& request,
                                   const EntityStore& entities) {
  PartialEvaluator evaluator(request, entities);
  PartialResponse response;
  for (size_t i = 0; i < policies.size(); ++i) {
    ExprPtr residual = evaluator.Residual(WholeCondition(policies[i].policy));
    if (const auto* error = std::get_if<ErrorNode>(&residual->node)) {
      response.errors.push_back(
          {.policy = i, .error = {.span = residual->span, .message = error->message}});
    } else if (const Value* value = ConstantOf(*residual); value == nullptr) {
      const Outcomes outcomes = OutcomesOf(*residual, request);
      response.residuals.push_back(
          {.policy = i, .residual = std::move(residual), .outcomes = outcomes});
    } else if (*value->AsBool()) {
      response.satisfied.push_back(i);
    }
  }
  response.decision = Decide(policies, response);
  return response;
}

}  // namespace palyra::policy
