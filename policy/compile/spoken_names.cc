#include "policy/compile/spoken_names.h"

#include <string_view>

#include "policy/compile/action_scope.h"
#include "policy/compile/named_resource.h"

namespace palyra::policy {
namespace {

constexpr unsigned kSockets = 1U << static_cast<unsigned>(NameAction::kUnixConnect);
constexpr unsigned kOthers = ((1U << kNameActionCount) - 1) & ~kSockets;

// Of a head that names no action.
unsigned NamedByResource(const Scope& resource) {
  std::string_view type = resource.type;
  if (resource.kind == Scope::Kind::kEqual || resource.kind == Scope::Kind::kIn) {
    type = resource.entities.empty() ? type : std::string_view(resource.entities[0].type());
  }
  const bool is_other = type == kPathType || type == kDirectoryType || type == kExecutableType ||
                        type == kProcessType;
  return is_other ? kOthers : 0;
}

unsigned SpokenOf(const Policy& policy, const EntityStore& entities) {
  if (policy.action.kind == Scope::Kind::kAny) return NamedByResource(policy.resource);
  const std::expected<ActionScope, Finding> scope = ActionScopeOf(policy, entities, Coverage::kAll);
  return scope ? scope->name_actions : 0U;
}

}  // namespace

uint16_t JudgedNames(std::span<const LayerInput> layers) {
  unsigned spoken = kSockets;
  for (const LayerInput& layer : layers) {
    if (layer.layer == Layer::kMandatory) continue;
    for (const PlacedPolicy& placed : layer.policies->policies()) {
      spoken |= SpokenOf(placed.policy, *layer.entities);
    }
  }
  return static_cast<uint16_t>((spoken & kOthers) != 0 ? spoken | kOthers : spoken);
}

Coverage CoverageFor(uint16_t judged) {
  return (judged & kOthers) != 0 ? Coverage::kFiles : Coverage::kNetworkAndUnix;
}

}  // namespace palyra::policy
