#include "policy/compiler.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <utility>

#include "policy/authorizer.h"
#include "policy/combine.h"
#include "policy/ip.h"
#include "policy/lowering.h"
#include "policy/net_scope.h"
#include "policy/partial.h"

namespace palyra::policy {
namespace {

Request RequestFor(const CompileInput& input, NetAction action) {
  return {.principal = input.principal,
          .action = ActionUid(action),
          .resource = EntityUid(std::string(kEndpointType), ""),
          .context = input.context};
}

Request RequestFor(const CompileInput& input, const NetEvent& event) {
  Request request = RequestFor(input, event.action);
  request.event_entity = std::make_shared<const Entity>(EndpointEntity(event));
  request.resource = request.event_entity->uid;
  return request;
}

PartialRequest OpenRequestFor(const CompileInput& input, NetAction action) {
  return {.principal = {.uid = input.principal},
          .action = {.uid = ActionUid(action)},
          .resource = OpenEndpoint(),
          .context = *input.context.AsRecord(),
          .open_context = {},
          .open_attrs = {}};
}

// "net.connect tcp 192.0.2.1:443"
std::string EventText(const NetEvent& event) {
  return std::string(ActionName(event.action)) + ' ' + EndpointEntity(event).uid.id();
}

struct ResidualOfActions {
  ExprPtr residual;
  NetAction first;
  uint8_t actions;  // Bit set over NetAction.
};

class Compilation {
 public:
  explicit Compilation(const CompileInput& input) : input_(input) {
    for (const LayerInput& layer : input.layers) {
      layers_.push_back(layer.layer);
      probes_.emplace_back(RequestFor(input, NetAction::kConnect), *layer.entities);
    }
  }

  std::expected<CompileOutput, std::vector<Diagnostic>> Run() {
    for (uint32_t layer = 0; layer < layers_.size(); ++layer) {
      for (const PlacedPolicy& policy : input_.layers[layer].policies->policies()) {
        AddPolicy(layer, policy);
      }
      RefuseUnlinked(*input_.layers[layer].policies);
    }
    if (!errors_.empty()) {
      return std::unexpected(std::move(errors_));
    }
    std::expected<RuleSet, TooLarge> rules = Combine(layers_, facts_, territories_);
    if (!rules) {
      const TooLarge& failure = rules.error();
      Report(errors_, Severity::kError, *placed_[failure.policy],
             {.code = "LOW-SIZE",
              .span = placed_[failure.policy]->policy.span,
              .message = failure.message + "; this one takes the largest part",
              .hint = "name ranges instead of single addresses and ports"});
      return std::unexpected(std::move(errors_));
    }
    return CompileOutput{.rules = *std::move(rules), .warnings = std::move(warnings_)};
  }

 private:
  const CompileInput& input_;
  std::vector<Layer> layers_;
  std::vector<PolicyFacts> facts_;
  std::vector<const PlacedPolicy*> placed_;
  std::vector<AtomProbe> probes_;  // One for each layer.
  std::vector<Territory> territories_;
  std::vector<Diagnostic> errors_;
  std::vector<Diagnostic> warnings_;

  static void Report(std::vector<Diagnostic>& out, Severity severity, const PlacedPolicy& policy,
                     const Finding& finding) {
    Diagnostic diagnostic{.severity = severity,
                          .code = finding.code,
                          .message = finding.message,
                          .source = policy.source,
                          .span = finding.span,
                          .policy_id = policy.Label(),
                          .hint = finding.hint};
    // Once for all actions: what was said of the same policy stands last.
    for (const Diagnostic& other : out | std::views::reverse) {
      if (other.policy_id != diagnostic.policy_id || other.source != diagnostic.source) {
        break;
      }
      if (other.code == diagnostic.code && other.span == diagnostic.span) {
        return;
      }
    }
    out.push_back(std::move(diagnostic));
  }

  // A template that decides nothing would be taken for a policy that does.
  void RefuseUnlinked(const PolicySet& policies) {
    for (const PlacedPolicy& unlinked : policies.templates()) {
      const bool is_linked =
          std::ranges::any_of(policies.policies(), [&](const PlacedPolicy& policy) {
            return policy.link && policy.link->template_id == unlinked.id;
          });
      if (!is_linked) {
        const Scope& scope =
            unlinked.policy.principal.slot ? unlinked.policy.principal : unlinked.policy.resource;
        Report(errors_, Severity::kError, unlinked,
               {.code = "LOW-TEMPLATE",
                .span = scope.span,
                .message = "this is a template that nothing is linked to, and so decides nothing",
                .hint = "write the entity instead of the slot"});
      }
    }
  }

  void AddPolicy(uint32_t layer, const PlacedPolicy& policy) {
    const auto number = static_cast<uint32_t>(facts_.size());
    facts_.push_back({.layer = layer,
                      .id = policy.id,
                      .is_forbid = policy.policy.effect == Effect::kForbid,
                      .asks = policy.policy.asks()});
    placed_.push_back(&policy);
    std::expected<NetScope, Finding> scope = NetScopeOf(policy.policy, EntitiesOf(number));
    if (!scope) {
      Report(errors_, Severity::kError, policy, scope.error());
      return;
    }
    // A forbid that is held in part would be taken for one that is held.
    if (facts_[number].is_forbid && !scope->oddities.empty()) {
      Report(errors_, Severity::kError, policy, scope->oddities.front());
      return;
    }
    Warn(policy, scope->oddities);
    // Actions that leave the same residual share one truth.
    std::vector<ResidualOfActions> residuals;
    for (int i = 0; i < kNetActionCount; ++i) {
      if ((scope->actions >> i & 1U) != 0) {
        AddResidual(number, static_cast<NetAction>(i), residuals);
      }
    }
    for (const ResidualOfActions& residual : residuals) {
      if (!AddTruth(number, residual)) {
        return;
      }
    }
  }

  void AddResidual(uint32_t number, NetAction action, std::vector<ResidualOfActions>& residuals) {
    const PlacedPolicy& policy = *placed_[number];
    const PartialRequest request = OpenRequestFor(input_, action);
    PartialEvaluator partial(request, EntitiesOf(number));
    ExprPtr residual = partial.Residual(WholeCondition(policy.policy));
    // Exact, but a forbid on names would hold nothing without saying so.
    const bool is_forbid = facts_[number].is_forbid;
    for (const auto& [span, attr] : partial.absences()) {
      if (attr != kDomainAttr) {
        continue;
      }
      Report(is_forbid ? errors_ : warnings_, is_forbid ? Severity::kError : Severity::kWarning,
             policy,
             {.code = "LOW-DOMAIN",
              .span = span,
              .message = "`has domain` is false: endpoints have no names in this version",
              .hint = "write conditions on resource.address"});
    }
    const auto bit = static_cast<uint8_t>(1U << static_cast<unsigned>(action));
    for (ResidualOfActions& known : residuals) {
      if (SameExpr(*known.residual, *residual)) {
        known.actions = static_cast<uint8_t>(known.actions | bit);
        return;
      }
    }
    residuals.push_back({.residual = std::move(residual), .first = action, .actions = bit});
  }

  // False where the policy is refused.
  bool AddTruth(uint32_t number, const ResidualOfActions& residual) {
    const PlacedPolicy& policy = *placed_[number];
    std::vector<Finding> oddities;
    const std::expected<EndpointTruth, Finding> truth =
        Lower(*residual.residual, probes_[facts_[number].layer], oddities);
    Warn(policy, oddities);
    if (!truth) {
      Report(errors_, Severity::kError, policy, truth.error());
      return false;
    }
    if (const std::optional<NetEvent> event = FindError(*truth, residual.first)) {
      ReportFailing(number, *event);
      if (facts_[number].is_forbid) {
        return false;
      }
    }
    Territory territory = TerritoryOf(number, *truth, residual.actions);
    if (territory.flow_sets.size() > 1) {
      territories_.push_back(std::move(territory));
    }
    return true;
  }

  void ReportFailing(uint32_t number, const NetEvent& event) {
    const PlacedPolicy& policy = *placed_[number];
    const Request request = RequestFor(input_, event);
    const EvalResult result =
        Evaluator(request, EntitiesOf(number)).Evaluate(*WholeCondition(policy.policy));
    const std::string why = result ? "its condition is not a bool" : result.error().message;
    const std::string where = EventText(event);
    const Span span = result ? policy.policy.span : result.error().span;
    const std::string hint = "let the condition hold or not on every event, with `has` or a bound";
    if (facts_[number].is_forbid) {
      Report(errors_, Severity::kError, policy,
             {.code = "LOW-ERROR",
              .span = span,
              .message = "this forbid fails on " + where + " (" + why +
                         "), and a forbid that fails would let it through",
              .hint = hint});
    } else {
      Report(
          warnings_, Severity::kWarning, policy,
          {.code = "LOW-ERROR",
           .span = span,
           .message = "this permit fails on " + where + " (" + why + ") and permits nothing there",
           .hint = hint});
    }
  }

  const EntityStore& EntitiesOf(uint32_t number) const {
    return *input_.layers[facts_[number].layer].entities;
  }

  void Warn(const PlacedPolicy& policy, const std::vector<Finding>& findings) {
    for (const Finding& finding : findings) {
      Report(warnings_, Severity::kWarning, policy, finding);
    }
  }
};

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

}  // namespace

std::expected<CompileOutput, std::vector<Diagnostic>> CompileNetRules(const CompileInput& input) {
  if (input.layers.empty()) {
    return std::unexpected(std::vector<Diagnostic>{
        {.severity = Severity::kError,
         .code = "LOW-LAYER",
         .message = "there is no layer of policies, and so nothing that could permit",
         .source = nullptr,
         .span = {},
         .policy_id = std::nullopt,
         .hint = std::nullopt}});
  }
  return Compilation(input).Run();
}

NetOutcome EvaluateWithContext(const CompileInput& input, const NetEvent& event) {
  const Request request = RequestFor(input, event);
  std::vector<Judgement> judgements;
  Verdict verdict = input.layers.empty() ? Verdict::kDeny : Verdict::kAllow;
  for (const LayerInput& layer : input.layers) {
    judgements.push_back(Judge(*layer.policies, request, *layer.entities));
    verdict = std::min(verdict, judgements.back().verdict);
  }
  if (judgements.empty()) {
    return {.verdict = Verdict::kDeny, .reason = {.layers = {{Layer::kCaller, {}}}}};
  }
  return {.verdict = verdict, .reason = ReasonOf(input, judgements, verdict)};
}

}  // namespace palyra::policy
