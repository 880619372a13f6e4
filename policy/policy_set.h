// The policies of one layer, from any number of sources.

#ifndef PALYRA_POLICY_POLICY_SET_H_
#define PALYRA_POLICY_POLICY_SET_H_

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "policy/ast.h"
#include "policy/source.h"

namespace palyra::policy {

// A policy with its name and place.
struct PlacedPolicy {
  std::string id;  // "policy0", "policy1", … in order over all sources; never the @id.
  SourcePtr source;
  Policy policy;

  // For people: `policy0 ("git-only", net.cedar:3)`; without an @id `policy0 (net.cedar:3)`. The
  // line is where the policy begins, its annotations included.
  [[nodiscard]] std::string Label() const;
};

// Immutable.
class PolicySet {
 public:
  PolicySet() = default;

  // Policies of all sources in order; or the errors of all sources, at least one.
  static std::expected<PolicySet, std::vector<Diagnostic>> Parse(
      const std::vector<SourcePtr>& sources);

  [[nodiscard]] const std::vector<PlacedPolicy>& policies() const { return policies_; }
  [[nodiscard]] size_t size() const { return policies_.size(); }
  [[nodiscard]] const PlacedPolicy& operator[](size_t index) const { return policies_[index]; }

  // Null where there is none.
  [[nodiscard]] const PlacedPolicy* Find(std::string_view id) const;

 private:
  std::vector<PlacedPolicy> policies_;
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_POLICY_SET_H_
