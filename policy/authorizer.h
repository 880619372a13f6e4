// Cedar's authorizer, and the three-valued verdict that Palyra takes from it.
// Normative text: cedar-spec, Cedar/Spec/Authorizer.lean.

#ifndef PALYRA_POLICY_AUTHORIZER_H_
#define PALYRA_POLICY_AUTHORIZER_H_

#include <cstddef>
#include <span>
#include <vector>

#include "policy/evaluator.h"
#include "policy/policy_set.h"
#include "policy/rule_set.h"
#include "policy/scope_index.h"

namespace palyra::policy {

enum class Decision : uint8_t { kDeny, kAllow };

// A policy that was skipped because its evaluation failed.
struct PolicyError {
  size_t policy;  // Index into the PolicySet.
  EvalError error;
  bool operator==(const PolicyError&) const = default;
};

struct Response {
  Decision decision = Decision::kDeny;
  std::vector<size_t> reasons;  // Indices into the PolicySet, ascending.
  std::vector<PolicyError> errors;
};

// Exactly Cedar: a satisfied forbid denies, else a satisfied permit allows, else deny without a
// reason. A policy that errors is skipped and listed, a forbid too: what acts on the answer uses
// Judge instead.
Response Authorize(const PolicySet& policies, const Request& request, const EntityStore& entities);

struct Judgement {
  Verdict verdict = Verdict::kDeny;
  std::vector<size_t> reasons;  // Indices into the PolicySet, ascending.
  std::vector<PolicyError> errors;
};

// What a policy says where it is satisfied: a forbid deny, a permit ask with @ask, else verify with
// @verify, else allow.
Verdict VerdictOf(const Policy& policy);

// As Authorize, but: a forbid that errors denies like one that is satisfied, and is a reason; and
// of satisfied permits the least strict gives the verdict.
Judgement Judge(const PolicySet& policies, const Request& request, const EntityStore& entities);

// Judge where only the policies of these indices, ascending, can be satisfied or fail.
Judgement JudgeAmong(const PolicySet& policies, std::span<const size_t> candidates,
                     const Request& request, const EntityStore& entities);

// Authorize and Judge for many requests: the same answers, but a request looks only at the policies
// whose scopes hold for it.
//
// Borrows the policies, which must outlive it unchanged. Thread-safe.
class Authorizer {
 public:
  explicit Authorizer(const PolicySet& policies);

  [[nodiscard]] Response Authorize(const Request& request, const EntityStore& entities) const;
  [[nodiscard]] Judgement Judge(const Request& request, const EntityStore& entities) const;

 private:
  const PolicySet& policies_;
  ScopeIndex index_;
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_AUTHORIZER_H_
