#include "policy/validate/engine_policies.h"

#include <utility>

#include "policy/validate/validator.h"

namespace palyra::policy {

std::expected<std::vector<Diagnostic>, std::vector<Diagnostic>> ValidateForEngine(
    const PolicySet& policies, const Schema& schema) {
  ValidationReport report = Validate(policies, schema);
  if (!report.valid()) {
    return std::unexpected(std::move(report.errors));
  }
  return std::move(report.warnings);
}

}  // namespace palyra::policy
