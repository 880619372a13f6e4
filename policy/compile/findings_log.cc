#include "policy/compile/findings_log.h"

#include <ranges>
#include <utility>

namespace palyra::policy {

void FindingsLog::Report(std::vector<Diagnostic>& out, Severity severity,
                         const PlacedPolicy& policy, const Finding& finding) {
  Diagnostic diagnostic{.severity = severity,
                        .code = finding.code,
                        .message = finding.message,
                        .source = policy.source,
                        .span = finding.span,
                        .policy_id = policy.Label(),
                        .hint = finding.hint};
  for (const Diagnostic& other : out | std::views::reverse) {
    if (other.policy_id != diagnostic.policy_id || other.source != diagnostic.source) {
      break;
    }
    if (other.code == diagnostic.code && other.span == diagnostic.span) {
      return;
    }
  }
  out.push_back(std::move(diagnostic));
}

}  // namespace palyra::policy
