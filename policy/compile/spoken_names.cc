#include "policy/compile/spoken_names.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/automaton_witness.h"
#include "policy/compile/action_scope.h"
#include "policy/compile/named_resource.h"
#include "policy/compile/residual_walk.h"

namespace palyra::policy {
namespace {

constexpr size_t kMostStatesCompared = size_t{1} << 22;

constexpr unsigned Bit(NameAction action) { return 1U << static_cast<unsigned>(action); }

constexpr unsigned kFiles = Bit(NameAction::kFileRead) | Bit(NameAction::kFileWrite) |
                            Bit(NameAction::kFileCreate) | Bit(NameAction::kFileRemove) |
                            Bit(NameAction::kFileRename) | Bit(NameAction::kFileLink) |
                            Bit(NameAction::kFileAttributes) | Bit(NameAction::kProcessExec);
constexpr unsigned kProcesses = Bit(NameAction::kProcessSignal) | Bit(NameAction::kProcessTrace);

unsigned NamedByType(std::string_view type) {
  if (type == kPathType || type == kDirectoryType || type == kExecutableType) return kFiles;
  return type == kProcessType ? kProcesses : 0;
}

// Of a head that names no action.
unsigned NamedByResource(const Scope& resource) {
  std::string_view type = resource.type;
  if (resource.kind == Scope::Kind::kEqual || resource.kind == Scope::Kind::kIn) {
    type = resource.entities.empty() ? type : std::string_view(resource.entities[0].type());
  }
  return NamedByType(type);
}

// Types and entities that stand in a condition.
unsigned NamedBy(const Expr& expr) {
  unsigned named = 0;
  if (const auto* is = std::get_if<Is>(&expr.node)) named |= NamedByType(is->type);
  if (const auto* literal = std::get_if<Literal>(&expr.node)) {
    const EntityUid* entity = literal->value.AsEntity();
    if (entity != nullptr) named |= NamedByType(entity->type());
  }
  for (const ExprPtr& child : ChildrenOf(expr)) named |= NamedBy(*child);
  return named;
}

unsigned SpokenOf(const Policy& policy, const EntityStore& entities) {
  if (policy.action.kind == Scope::Kind::kAny) {
    unsigned named = NamedByResource(policy.resource);
    // What somebody forbids is not passed over because the head does not say of what kind it is.
    if (policy.effect == Effect::kForbid) {
      for (const Condition& condition : policy.conditions) named |= NamedBy(*condition.body);
    }
    return named;
  }
  const std::expected<ActionScope, Finding> scope = ActionScopeOf(policy, entities, Coverage::kAll);
  return scope ? scope->name_actions : 0U;
}

bool IsOfFiles(NameAction action) { return ((kFiles | kProcesses) & Bit(action)) != 0; }

void Compare(const NameRules& before, const NameRules& after, FileChange& change) {
  const auto pairs = ProductClasses(before.automaton, after.automaton, kMostStatesCompared);
  // Too much to look at: as if both.
  if (!pairs || before.digests != after.digests) {
    change = {.is_tighter = true, .is_looser = true};
    return;
  }
  for (const ClassPair& pair : *pairs) {
    for (size_t flag = 0; flag < before.flag_count; ++flag) {
      const auto allows = [flag](const NameRules& rules, uint32_t of_text) {
        return rules.leaves[size_t{of_text} * rules.flag_count + flag].verdict == Verdict::kAllow;
      };
      const bool was = allows(before, pair.a);
      const bool is = allows(after, pair.b);
      change.is_tighter = change.is_tighter || (was && !is);
      change.is_looser = change.is_looser || (is && !was);
    }
  }
}

}  // namespace

uint16_t JudgedNames(std::span<const LayerInput> layers) {
  unsigned spoken = Bit(NameAction::kUnixConnect);
  for (const LayerInput& layer : layers) {
    if (layer.layer == Layer::kMandatory) continue;
    for (const PlacedPolicy& placed : layer.policies->policies()) {
      spoken |= SpokenOf(placed.policy, *layer.entities);
    }
  }
  return static_cast<uint16_t>((spoken & kFiles) != 0 ? spoken | kFiles : spoken);
}

Coverage CoverageFor(uint16_t judged) {
  return (judged & (kFiles | kProcesses)) != 0 ? Coverage::kFiles : Coverage::kNetworkAndUnix;
}

void KeepNames(RuleSet& rules, uint16_t judged) {
  std::erase_if(rules.names,
                [judged](const NameRules& names) { return (judged & Bit(names.action)) == 0; });
  const bool judges_files = std::ranges::any_of(rules.names, [](const NameRules& names) {
    return LiesInDirectories(ResourceTypeOf(names.action));
  });
  if (!judges_files) rules.protected_names.clear();
}

RuleSet TakeFileRules(RuleSet& rules) {
  RuleSet files{.prefixes = {}, .classes = {}, .reasons = rules.reasons};
  std::vector<NameRules> others;
  for (NameRules& names : rules.names) {
    (IsOfFiles(names.action) ? files.names : others).push_back(std::move(names));
  }
  rules.names = std::move(others);
  files.protected_names = std::move(rules.protected_names);
  rules.protected_names.clear();
  return files;
}

FileChange CompareFileRules(const RuleSet& before, const RuleSet& after) {
  FileChange change;
  for (int i = 0; i < kNameActionCount; ++i) {
    const auto action = static_cast<NameAction>(i);
    if (!IsOfFiles(action)) continue;
    const NameRules* was = FindRules(before, action);
    const NameRules* is = FindRules(after, action);
    if (was != nullptr && is != nullptr) Compare(*was, *is, change);
    change.is_tighter = change.is_tighter || (was == nullptr && is != nullptr);
    change.is_looser = change.is_looser || (was != nullptr && is == nullptr);
  }
  return change;
}

}  // namespace palyra::policy
