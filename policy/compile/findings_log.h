// What the compiler says of policies, each thing once.

#ifndef PALYRA_POLICY_COMPILE_FINDINGS_LOG_H_
#define PALYRA_POLICY_COMPILE_FINDINGS_LOG_H_

#include <unordered_set>
#include <utility>
#include <vector>

#include "policy/compile/residual_walk.h"
#include "policy/policy_set.h"
#include "policy/source.h"

namespace palyra::policy {

class FindingsLog {
 public:
  // What is said of one policy comes in a row: then a repetition, for another action, is left out.
  void Error(const PlacedPolicy& policy, const Finding& finding) {
    Report(errors_, Severity::kError, policy, finding);
  }
  void Warn(const PlacedPolicy& policy, const Finding& finding) {
    warned_.insert(&policy);
    Report(warnings_, Severity::kWarning, policy, finding);
  }
  void Warn(const PlacedPolicy& policy, const std::vector<Finding>& findings) {
    for (const Finding& finding : findings) {
      Warn(policy, finding);
    }
  }

  [[nodiscard]] bool has_errors() const { return !errors_.empty(); }
  [[nodiscard]] bool HasWarningOf(const PlacedPolicy& policy) const {
    return warned_.contains(&policy);
  }

  std::vector<Diagnostic> TakeErrors() { return std::move(errors_); }
  std::vector<Diagnostic> TakeWarnings() { return std::move(warnings_); }

 private:
  std::vector<Diagnostic> errors_;
  std::vector<Diagnostic> warnings_;
  std::unordered_set<const PlacedPolicy*> warned_;

  static void Report(std::vector<Diagnostic>& out, Severity severity, const PlacedPolicy& policy,
                     const Finding& finding);
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_FINDINGS_LOG_H_
