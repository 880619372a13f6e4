// Cedar's authorizer for requests of which a part is to come.

#ifndef PALYRA_POLICY_PARTIAL_AUTHORIZER_H_
#define PALYRA_POLICY_PARTIAL_AUTHORIZER_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "policy/authorizer.h"
#include "policy/outcomes.h"
#include "policy/partial.h"
#include "policy/policy_set.h"

namespace palyra::policy {

// A policy of which something is left to ask.
struct ResidualPolicy {
  size_t policy;     // Index into the PolicySet.
  ExprPtr residual;  // Scope and conditions; evaluates to a Bool or fails.
  Outcomes outcomes;
};

// Each policy is in one of the lists, or is not satisfied whatever is to come.
struct PartialResponse {
  // Set where it is the same for all that may come.
  std::optional<Decision> decision;
  std::vector<size_t> satisfied;  // Indices into the PolicySet, ascending, as in the next two.
  std::vector<PolicyError> errors;
  std::vector<ResidualPolicy> residuals;
};

// For every request that completes the partial one: a residual policy is satisfied, fails or
// neither, as its residual evaluates to true, fails or evaluates to false; the others are as they
// are listed; and where there is a decision, it is Authorize's.
PartialResponse PartiallyAuthorize(const PolicySet& policies, const PartialRequest& request,
                                   const EntityStore& entities);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_PARTIAL_AUTHORIZER_H_
