// Policies with their ids, from any number of sources: static ones, templates, and the policies
// that links make of templates. https://docs.cedarpolicy.com/policies/templates.html

#ifndef PALYRA_POLICY_POLICY_SET_H_
#define PALYRA_POLICY_POLICY_SET_H_

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "policy/ast.h"
#include "policy/source.h"

namespace palyra::policy {

// What stands for the slots of a template.
struct SlotValues {
  std::optional<EntityUid> principal = std::nullopt;
  std::optional<EntityUid> resource = std::nullopt;
  bool operator==(const SlotValues&) const = default;
};

// The template with its slots filled, a policy. Refused: a slot without a value, and a value
// without a slot.
Result<Policy> FillSlots(const Policy& policy_template, const SlotValues& values);

// Of which template a policy was made, and how.
struct Link {
  std::string template_id;
  SlotValues values;
};

// A policy or template with its name and place.
struct PlacedPolicy {
  std::string id;  // Unique in its set. In Cedar text "policy0", "policy1", …; never the @id.
  SourcePtr source;
  Policy policy;
  std::optional<Link> link = std::nullopt;  // Set where `policy` was made of a template.

  // For people: `policy0 ("git-only", net.cedar:3)`; without an @id `policy0 (net.cedar:3)`; a
  // linked one has the place of its template. The line is where the policy begins, its annotations
  // included.
  [[nodiscard]] std::string Label() const;
};

class PolicySet {
 public:
  PolicySet() = default;

  // The policies and templates of all sources; or the errors of all sources, at least one. Ids are
  // "policy0", "policy1", … in order over policies and templates of all sources together.
  static std::expected<PolicySet, std::vector<Diagnostic>> Parse(
      const std::vector<SourcePtr>& sources);

  // Adds a policy, or a template where it has slots. Refused: an id that the set already has.
  Result<void> Add(std::string id, SourcePtr source, Policy policy);

  // Makes a policy of a template. Refused: a template id that is none, an id that the set already
  // has, and what FillSlots refuses.
  Result<void> AddLink(std::string id, Link link);

  // What decides: static policies and linked ones, in the order of their adding.
  [[nodiscard]] const std::vector<PlacedPolicy>& policies() const { return policies_; }
  [[nodiscard]] size_t size() const { return policies_.size(); }
  [[nodiscard]] const PlacedPolicy& operator[](size_t index) const { return policies_[index]; }

  // Templates decide nothing. In the order of their adding.
  [[nodiscard]] const std::vector<PlacedPolicy>& templates() const { return templates_; }

  // Null where there is none of this id. Valid until the next change.
  [[nodiscard]] const PlacedPolicy* Find(std::string_view id) const;
  [[nodiscard]] const PlacedPolicy* FindTemplate(std::string_view id) const;

 private:
  Result<void> Reserve(const std::string& id, bool is_template, size_t index);
  [[nodiscard]] const PlacedPolicy* Find(std::string_view id, bool is_template) const;

  struct Place {
    bool is_template;
    size_t index;
  };

  std::vector<PlacedPolicy> policies_;
  std::vector<PlacedPolicy> templates_;
  std::unordered_map<std::string, Place> places_;
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_POLICY_SET_H_
