#include "policy/compile/pinned_names.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "base/domain_name.h"
#include "policy/automaton_witness.h"
#include "policy/named_class.h"

namespace palyra::policy {
namespace {

bool IsLiteral(const Pattern& pattern) { return pattern.pieces.size() == 1; }

class Search {
 public:
  explicit Search(const CompileOutput& output)
      : rules_(output.rules), partition_(output.partitions.domains) {
    for (const NamedPermit& permit : output.named_permits) {
      permits_[{permit.layer, permit.policy->id}].push_back(&permit);
      for (const NameCondition& condition : permit.conditions) {
        AddNames(condition);
      }
    }
  }

  // A class of names that a run may look up, none of which is spelled out.
  std::vector<Diagnostic> RefuseOpen() {
    const std::vector<std::string> names = ClassRepresentatives(partition_);
    std::vector<bool> is_listed(names.size());
    for (const std::string& name : names_) {
      is_listed[partition_.ClassOf(name)] = true;
    }
    for (size_t i = 0; i < names.size(); ++i) {
      if (!is_listed[i] && MayAsk(names[i])) {
        RefuseOpenOn(names[i]);
      }
    }
    return std::move(refused_);
  }

  [[nodiscard]] std::vector<std::string> Names() const {
    std::vector<std::string> names(names_.begin(), names_.end());
    std::erase_if(names, [](const std::string& name) { return base::IsLocalhost(name); });
    return names;
  }

 private:
  const RuleSet& rules_;
  const Automaton& partition_;
  std::map<std::pair<Layer, std::string>, std::vector<const NamedPermit*>> permits_;
  std::map<uint32_t, bool> may_ask_;  // By class of names.
  std::set<std::string> names_;
  std::set<const PlacedPolicy*> is_refused_;
  std::vector<Diagnostic> refused_;

  bool MayAsk(const std::string& name) {
    const auto [entry, is_new] =
        may_ask_.try_emplace(rules_.domains->automaton.ClassOf(name), false);
    if (is_new) {
      entry->second = MayBeAskedFor(rules_, name);
    }
    return entry->second;
  }

  void AddNames(const NameCondition& condition) {
    const auto literals = std::ranges::count_if(condition, IsLiteral);
    for (const Pattern& pattern : condition) {
      if (!IsLiteral(pattern)) {
        continue;
      }
      const std::string& name = pattern.pieces.front();
      const bool is_group = literals > 1 && !name.contains('.');
      if (!is_group && base::CanonicalDomain(name) == name && MayAsk(name)) {
        names_.insert(name);
      }
    }
  }

  [[nodiscard]] bool SpellsOutOneOf(const NameCondition& condition) const {
    return std::ranges::any_of(condition, [&](const Pattern& pattern) {
      return IsLiteral(pattern) && names_.contains(pattern.pieces.front());
    });
  }

  // Whether the permit speaks of this name only as one of those that nobody can list.
  [[nodiscard]] bool IsOpenOn(const NamedPermit& permit, const std::string& name) const {
    bool holds_any = false;
    for (const NameCondition& condition : permit.conditions) {
      const auto match = std::ranges::find_if(
          condition, [&](const Pattern& pattern) { return Matches(pattern, name); });
      if (match == condition.end()) {
        continue;
      }
      holds_any = true;
      if (!IsLiteral(*match) && !SpellsOutOneOf(condition)) {
        return true;
      }
    }
    return !holds_any;
  }

  // The permits by which something can be reached under that name.
  [[nodiscard]] std::set<const NamedPermit*> PermitsOn(const std::string& name) const {
    std::set<const NamedPermit*> permits;
    for (const AddressClass& address_class : TablesFor(rules_, name).classes) {
      for (const PortSpan& span : address_class.spans) {
        if (!HasWayOut({.spans = {span}})) {
          continue;
        }
        for (const Reason::LayerPolicies& layer : rules_.reasons[span.reason].layers) {
          for (const std::string& id : layer.policy_ids) {
            if (const auto found = permits_.find({layer.layer, id}); found != permits_.end()) {
              permits.insert(found->second.begin(), found->second.end());
            }
          }
        }
      }
    }
    return permits;
  }

  void RefuseOpenOn(const std::string& name) {
    for (const NamedPermit* permit : PermitsOn(name)) {
      if (IsOpenOn(*permit, name) && is_refused_.insert(permit->policy).second) {
        refused_.push_back(
            {.severity = Severity::kError,
             .code = "PIN-OPEN",
             .message = "this permit holds for names that nobody can list, and so cannot be "
                        "resolved before the run",
             .source = permit->policy->source,
             .span = permit->policy->policy.span,
             .policy_id = permit->policy->id,
             .hint = "spell each name out: resource.domain == \"NAME\", or resource in "
                     "Palyra::Domain::\"NAME\", which then stands for that name alone"});
      }
    }
  }
};

Diagnostic TooMany(size_t count) {
  return {.severity = Severity::kError,
          .code = "PIN-MANY",
          .message = "the policies spell out " + std::to_string(count) + " names, and at most " +
                     std::to_string(kMaxPinnedNames) + " can be resolved before a run",
          .source = nullptr,
          .span = {},
          .policy_id = std::nullopt,
          .hint = "name those hosts alone that the run needs"};
}

}  // namespace

std::expected<std::vector<std::string>, std::vector<Diagnostic>> NamesToPin(
    const CompileOutput& output) {
  if (!output.rules.domains) {
    return std::vector<std::string>();
  }
  Search search(output);
  if (std::vector<Diagnostic> refused = search.RefuseOpen(); !refused.empty()) {
    return std::unexpected(std::move(refused));
  }
  std::vector<std::string> names = search.Names();
  if (names.size() > kMaxPinnedNames) {
    return std::unexpected(std::vector<Diagnostic>{TooMany(names.size())});
  }
  return names;
}

}  // namespace palyra::policy
