// EvaluateWithContext: the authorizer's own answer, which the tables must agree with.

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "policy/authorizer.h"
#include "policy/compile/compiler.h"
#include "policy/compile/endpoint.h"
#include "policy/compile/named_resource.h"

namespace palyra::policy {
namespace {

// The layers that count for the reason of the strictest verdict.
Reason ReasonOf(const CompileInput& input, std::span<const Judgement> judgements, Verdict verdict) {
  Reason reason;
  for (size_t i = 0; i < judgements.size(); ++i) {
    const Judgement& judgement = judgements[i];
    const bool counts = verdict == Verdict::kAllow || judgement.verdict == verdict;
    if (!counts || judgement.reasons.empty()) {
      continue;
    }
    Reason::LayerPolicies policies{.layer = input.layers[i].layer, .policy_ids = {}};
    for (const size_t policy : judgement.reasons) {
      policies.policy_ids.push_back((*input.layers[i].policies)[policy].id);
    }
    reason.layers.push_back(std::move(policies));
  }
  if (reason.layers.empty()) {
    const auto denying = std::ranges::find(judgements, Verdict::kDeny, &Judgement::verdict);
    const auto layer = static_cast<size_t>(denying - judgements.begin());
    reason.layers.push_back({.layer = input.layers[layer].layer, .policy_ids = {}});
  }
  return reason;
}

// `judge` gives what the layer of an index says.
template <typename JudgeLayer>
Outcome JudgeLayers(const CompileInput& input, JudgeLayer judge) {
  std::vector<Judgement> judgements;
  Verdict verdict = Verdict::kAllow;
  for (size_t i = 0; i < input.layers.size(); ++i) {
    judgements.push_back(judge(i));
    verdict = std::min(verdict, judgements.back().verdict);
  }
  if (judgements.empty()) {
    return {.verdict = Verdict::kDeny, .reason = {.layers = {{Layer::kCaller, {}}}}};
  }
  return {.verdict = verdict, .reason = ReasonOf(input, judgements, verdict)};
}

Request RequestWith(const CompileInput& input, EntityUid action, Entity resource) {
  auto entity = std::make_shared<const Entity>(std::move(resource));
  return {.principal = input.principal,
          .action = std::move(action),
          .resource = entity->uid,
          .context = input.context,
          .event_entity = entity};
}

}  // namespace

Request RequestFor(const CompileInput& input, const LayerInput& layer, const NetEvent& event) {
  return RequestWith(input, ActionUid(event.action), EndpointEntity(event, *layer.entities));
}

Request RequestFor(const CompileInput& input, const LayerInput& layer, const NameEvent& event) {
  return RequestWith(input, ActionUid(event.action), NamedEntity(event, *layer.entities));
}

Outcome EvaluateWithContext(const CompileInput& input, const NetEvent& event) {
  return JudgeLayers(input, [&](size_t i) {
    const LayerInput& layer = input.layers[i];
    return Judge(*layer.policies, RequestFor(input, layer, event), *layer.entities);
  });
}

Outcome EvaluateWithContext(const CompileInput& input, const NameEvent& event) {
  return JudgeLayers(input, [&](size_t i) {
    const LayerInput& layer = input.layers[i];
    return Judge(*layer.policies, RequestFor(input, layer, event), *layer.entities);
  });
}

Outcome EvaluateAmong(const CompileInput& input, const Candidates& candidates,
                      const NetEvent& event) {
  return JudgeLayers(input, [&](size_t i) {
    const LayerInput& layer = input.layers[i];
    return JudgeAmong(*layer.policies, candidates[i], RequestFor(input, layer, event),
                      *layer.entities);
  });
}

std::string EventText(const NetEvent& event) {
  return std::string(ActionName(event.action)) + ' ' +
         EndpointEntity(event, EntityStore()).uid.id();
}

std::string EventText(const NameEvent& event) {
  std::string text(ActionName(event.action));
  const std::string_view type = ResourceTypeOf(event.action);
  if (type == kProcessType) {
    return text + (event.flag ? " same-run" : " other");
  }
  text += (type == kSocketType && event.flag ? " abstract " : " ") + event.name;
  return event.sha256 ? text + " sha256 " + *event.sha256 : text;
}

}  // namespace palyra::policy
