#include "policy/defaults.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "policy/compile/action_scope.h"

namespace palyra::policy {
namespace {

constexpr uint16_t Bit(NameAction action) {
  return static_cast<uint16_t>(1U << static_cast<unsigned>(action));
}

constexpr std::array<uint16_t, 4> kTopics = {
    Bit(NameAction::kFileRead),
    Bit(NameAction::kFileWrite) | Bit(NameAction::kFileCreate) | Bit(NameAction::kFileRemove) |
        Bit(NameAction::kFileRename) | Bit(NameAction::kFileLink) |
        Bit(NameAction::kFileAttributes),
    Bit(NameAction::kProcessExec),
    Bit(NameAction::kProcessSignal) | Bit(NameAction::kProcessTrace),
};

// None where the head is one that the compiler refuses.
uint16_t TopicsOf(const Policy& policy, const EntityStore& entities) {
  const auto scope = ActionScopeOf(policy, entities, Coverage::kAll);
  uint16_t topics = 0;
  for (const uint16_t topic : kTopics) {
    if (scope && (scope->name_actions & topic) != 0) topics = static_cast<uint16_t>(topics | topic);
  }
  return topics;
}

uint16_t TopicsPermittedBut(const PolicySet& policies, const EntityStore& entities,
                            std::span<const SourcePtr> but) {
  uint16_t topics = 0;
  for (const PlacedPolicy& placed : policies.policies()) {
    if (placed.policy.effect != Effect::kPermit) continue;
    if (std::ranges::find(but, placed.source) != but.end()) continue;
    topics = static_cast<uint16_t>(topics | TopicsOf(placed.policy, entities));
  }
  return topics;
}

}  // namespace

uint16_t TopicsPermitted(const PolicySet& policies, const EntityStore& entities) {
  return TopicsPermittedBut(policies, entities, {});
}

Result<PolicySet> WithDefaults(PolicySet policies, const EntityStore& entities,
                               std::span<const SourcePtr> additions,
                               const std::vector<SourcePtr>& defaults) {
  const auto parsed = PolicySet::Parse(defaults);
  if (!parsed) return std::unexpected(ToError(parsed.error()));
  const uint16_t spoken_of = TopicsPermittedBut(policies, entities, additions);
  for (const PlacedPolicy& placed : parsed->policies()) {
    if ((TopicsOf(placed.policy, entities) & spoken_of) != 0) continue;
    const size_t number = policies.size() + policies.templates().size();
    Result<void> added =
        policies.Add("policy" + std::to_string(number), placed.source, placed.policy);
    if (!added) return std::unexpected(added.error());
  }
  return policies;
}

}  // namespace palyra::policy
