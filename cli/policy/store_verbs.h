// `palyra policy load`, `rollback` and `history`: the operator's policies.

#ifndef PALYRA_CLI_POLICY_STORE_VERBS_H_
#define PALYRA_CLI_POLICY_STORE_VERBS_H_

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/policy/compiled_policy.h"

namespace palyra::cli {

// Reads the operator's files (ReadOperatorBundle), validates and lowers them, and puts them in
// force as a new version; a sentence about it. Where one policy is bad, nothing is loaded.
std::expected<std::string, PolicyRefusal> LoadOperatorPolicies(
    const std::vector<std::string>& paths);

// Puts a kept version in force; without a number the one before that in force.
std::expected<std::string, PolicyRefusal> RollBackOperatorPolicies(std::optional<uint64_t> to);

// A line for each version that is kept.
Result<std::string> OperatorPolicyHistory();

}  // namespace palyra::cli

#endif  // PALYRA_CLI_POLICY_STORE_VERBS_H_
