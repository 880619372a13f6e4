#include "policy/compile/places.h"

#include <optional>
#include <string_view>
#include <utility>

#include "policy/ast_map.h"
#include "policy/compile/named_resource.h"
#include "policy/printer.h"

namespace palyra::policy {
namespace {

bool IsPlaced(const EntityUid& uid) {
  return (uid.type() == kDirectoryType || uid.type() == kPathType ||
          uid.type() == kExecutableType) &&
         uid.id().starts_with("${");
}

// One policy; collects what is refused.
class Expander {
 public:
  Expander(const Places& places, const PlacedPolicy& policy, std::vector<Diagnostic>& errors)
      : places_(places), placed_(policy), errors_(errors) {}

  Policy Expand() {
    Policy policy = placed_.policy;
    for (EntityUid& uid : policy.resource.entities) {
      uid = Expand(uid, policy.resource.span);
    }
    for (Condition& condition : policy.conditions) {
      condition.body =
          MapExpr(condition.body, [this](const ExprPtr& part) { return Replace(part); });
    }
    policy.condition = Join(policy.span, policy.conditions);
    return policy;
  }

 private:
  const Places& places_;
  const PlacedPolicy& placed_;
  std::vector<Diagnostic>& errors_;

  ExprPtr Replace(const ExprPtr& part) {
    const auto* literal = std::get_if<Literal>(&part->node);
    const EntityUid* uid = literal == nullptr ? nullptr : literal->value.AsEntity();
    return uid != nullptr && IsPlaced(*uid)
               ? MakeLiteral(part->span, Value::Entity(Expand(*uid, part->span)))
               : nullptr;
  }

  EntityUid Expand(const EntityUid& uid, Span span) {
    if (!IsPlaced(uid)) {
      return uid;
    }
    const std::string_view id = uid.id();
    const size_t end = id.find('}');
    const std::string_view name = id.substr(2, end == std::string_view::npos ? end : end - 2);
    const std::string* place = name == "workspace" ? &places_.workspace
                               : name == "home"    ? &places_.home
                               : name == "tmp"     ? &places_.tmp
                                                   : nullptr;
    const std::string_view rest = end == std::string_view::npos ? "" : id.substr(end + 1);
    if (place == nullptr || place->empty() || end == std::string_view::npos ||
        (!rest.empty() && !rest.starts_with('/'))) {
      errors_.push_back({.severity = Severity::kError,
                         .code = "LOW-PLACE",
                         .message = "there is no place " + QuoteString(id),
                         .source = placed_.source,
                         .span = span,
                         .policy_id = placed_.Label(),
                         .hint = "places are ${workspace}, ${home} and ${tmp}, alone or before /"});
      return uid;
    }
    // Below the root directory.
    const std::string base = *place == "/" && !rest.empty() ? "" : *place;
    return {uid.type(), base + std::string(rest)};
  }
};

}  // namespace

std::expected<PolicySet, std::vector<Diagnostic>> ExpandPlaces(const PolicySet& policies,
                                                               const Places& places) {
  PolicySet expanded;
  std::vector<Diagnostic> errors;
  for (const auto* list : {&policies.templates(), &policies.policies()}) {
    for (const PlacedPolicy& placed : *list) {
      Policy policy = Expander(places, placed, errors).Expand();
      const Result<void> added = expanded.Add(placed.id, placed.source, std::move(policy));
      if (!added) {
        std::unreachable();  // The ids are unique.
      }
    }
  }
  if (!errors.empty()) {
    return std::unexpected(std::move(errors));
  }
  return expanded;
}

}  // namespace palyra::policy
