#include "policy/validate/engine_policies.h"

#include <string>
#include <utility>

#include "policy/validate/validator.h"

namespace palyra::policy {
namespace {

bool SamePlace(const Diagnostic& a, const Diagnostic& b) {
  return a.source == b.source && a.span == b.span && a.code == b.code && a.policy_id == b.policy_id;
}

// A policy for every action is wrong once for each type of resource, at the same place: the first
// stands for them.
std::vector<Diagnostic> OneForEachPlace(std::vector<Diagnostic> errors) {
  std::vector<Diagnostic> kept;
  size_t alike = 0;
  const auto close = [&kept, &alike] {
    if (alike == 0) return;
    kept.back().message += ", and " + std::to_string(alike) + " more like it";
    if (!kept.back().hint) {
      kept.back().hint = "name the actions or the resource type in the policy's scope";
    }
    alike = 0;
  };
  for (Diagnostic& error : errors) {
    if (!kept.empty() && SamePlace(kept.back(), error)) {
      ++alike;
      continue;
    }
    close();
    kept.push_back(std::move(error));
  }
  close();
  return kept;
}

}  // namespace

std::expected<std::vector<Diagnostic>, std::vector<Diagnostic>> ValidateForEngine(
    const PolicySet& policies, const Schema& schema) {
  ValidationReport report = Validate(policies, schema);
  if (!report.valid()) {
    return std::unexpected(OneForEachPlace(std::move(report.errors)));
  }
  return std::move(report.warnings);
}

}  // namespace palyra::policy
