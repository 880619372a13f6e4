#include "policy/execution.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "policy/compile/endpoint.h"

namespace palyra::policy {
namespace {

// Whether the head names tool.execute, or a group that it is in.
bool NamesAction(const Scope& action, const EntityStore& entities) {
  const EntityUid execute = ExecuteAction();
  const Entity* entity = entities.Find(execute);
  return std::ranges::any_of(action.entities, [&](const EntityUid& uid) {
    const bool is_in =
        action.kind != Scope::Kind::kEqual && entity != nullptr && entity->ancestors.contains(uid);
    return uid == execute || is_in;
  });
}

bool NamesTool(const Scope& resource) {
  const bool has_entity = resource.kind == Scope::Kind::kEqual || resource.kind == Scope::Kind::kIn;
  const std::string_view type = has_entity && !resource.entities.empty()
                                    ? std::string_view(resource.entities[0].type())
                                    : std::string_view(resource.type);
  return type == kToolType || type == kToolGroupType;
}

bool Speaks(const Policy& policy, const EntityStore& entities) {
  return policy.action.kind == Scope::Kind::kAny ? NamesTool(policy.resource)
                                                 : NamesAction(policy.action, entities);
}

bool Speaks(const LayerInput& layer) {
  return std::ranges::any_of(layer.policies->policies(), [&](const PlacedPolicy& placed) {
    return Speaks(placed.policy, *layer.entities);
  });
}

bool IsForbid(const PlacedPolicy& placed) { return placed.policy.effect == Effect::kForbid; }

}  // namespace

EntityUid ExecuteAction() { return {std::string(kActionType), "tool.execute"}; }

bool MayDenyExecution(std::span<const LayerInput> layers) {
  return std::ranges::any_of(layers, [](const LayerInput& layer) {
    return std::ranges::any_of(layer.policies->policies(), [&](const PlacedPolicy& placed) {
      const bool is_about_all = placed.policy.action.kind == Scope::Kind::kAny && IsForbid(placed);
      return is_about_all || Speaks(placed.policy, *layer.entities);
    });
  });
}

Judgement JudgeExecution(const LayerInput& layer, const ExecutionRequest& request) {
  Judgement judgement = Judge(*layer.policies,
                              {.principal = request.principal,
                               .action = ExecuteAction(),
                               .resource = request.tool,
                               .context = request.context},
                              *layer.entities);
  const bool is_forbidden = std::ranges::any_of(
      judgement.reasons, [&](size_t policy) { return IsForbid((*layer.policies)[policy]); });
  if (!is_forbidden && !Speaks(layer)) return {Verdict::kAllow, {}, {}};
  // What is verified is a connection.
  if (judgement.verdict == Verdict::kVerify) judgement.verdict = Verdict::kDeny;
  return judgement;
}

ExecutionVerdict DecideExecution(std::span<const LayerInput> layers,
                                 const ExecutionRequest& request) {
  ExecutionVerdict strictest;
  for (const LayerInput& layer : layers) {
    Judgement judgement = JudgeExecution(layer, request);
    if (judgement.verdict >= strictest.verdict) continue;
    strictest = {.verdict = judgement.verdict,
                 .layer = layer.layer,
                 .reasons = std::move(judgement.reasons),
                 .errors = {}};
    for (const PolicyError& error : judgement.errors) {
      strictest.errors.push_back((*layer.policies)[error.policy].Label() + ": " +
                                 error.error.message);
    }
  }
  return strictest;
}

}  // namespace palyra::policy
