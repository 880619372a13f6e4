// Policies of the engine's layers, held to the Palyra schema before they are used.

#ifndef PALYRA_POLICY_VALIDATE_ENGINE_POLICIES_H_
#define PALYRA_POLICY_VALIDATE_ENGINE_POLICIES_H_

#include <expected>
#include <vector>

#include "policy/policy_set.h"
#include "policy/schema/schema.h"
#include "policy/source.h"

namespace palyra::policy {

// The warnings of policies that are valid, strictly, under `schema`, which PalyraSchema made; or
// the errors, at least one, and one for each place. What fails here does not load.
std::expected<std::vector<Diagnostic>, std::vector<Diagnostic>> ValidateForEngine(
    const PolicySet& policies, const Schema& schema);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_VALIDATE_ENGINE_POLICIES_H_
