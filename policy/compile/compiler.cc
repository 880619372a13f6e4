#include "policy/compile/compiler.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "policy/authorizer.h"
#include "policy/compile/action_scope.h"
#include "policy/compile/arbiter.h"
#include "policy/compile/combine.h"
#include "policy/compile/domain_footprint.h"
#include "policy/compile/domain_tables.h"
#include "policy/compile/endpoint.h"
#include "policy/compile/findings_log.h"
#include "policy/compile/lowering.h"
#include "policy/compile/name_tables.h"
#include "policy/compile/named_resource.h"
#include "policy/compile/time_window.h"
#include "policy/partial.h"

namespace palyra::policy {
namespace {

template <typename Action>
Request AnyRequestFor(const CompileInput& input, Action action, std::string_view resource_type) {
  return {.principal = input.principal,
          .action = ActionUid(action),
          .resource = EntityUid(std::string(resource_type), ""),
          .context = input.context};
}

struct ResidualOfActions {
  ExprPtr residual;
  NetAction first;
  uint8_t actions;  // Bit set over NetAction.
};

// What depends on the endpoint's name too.
struct OpenResidual {
  uint32_t policy;
  ResidualOfActions of_actions;
};

class Compilation {
 public:
  explicit Compilation(const CompileInput& input)
      : input_(input), now_(input.context.AsRecord()->Find(kNowAttr)) {
    if (now_ != nullptr && now_->AsDatetime() == nullptr) {
      now_ = nullptr;  // Some other attribute of that name, which does not change.
    }
    for (const LayerInput& layer : input.layers) {
      layers_.push_back(layer.layer);
      probes_.emplace_back(AnyRequestFor(input, NetAction::kConnect, kEndpointType),
                           *layer.entities);
    }
  }

  std::expected<CompileOutput, std::vector<Diagnostic>> Run() {
    for (uint32_t layer = 0; layer < layers_.size(); ++layer) {
      for (const PlacedPolicy& policy : input_.layers[layer].policies->policies()) {
        AddPolicy(layer, policy);
      }
      RefuseUnlinked(*input_.layers[layer].policies);
    }
    if (!log_.has_errors()) {
      Assemble();
    }
    if (log_.has_errors()) {
      return std::unexpected(log_.TakeErrors());
    }
    output_.warnings = log_.TakeWarnings();
    return std::move(output_);
  }

 private:
  const CompileInput& input_;
  const Value* now_;  // Null where the context has none.
  std::vector<Layer> layers_;
  std::vector<PolicyFacts> facts_;
  std::vector<const PlacedPolicy*> placed_;
  std::vector<bool> conditional_;      // Policies that are left to ask of some event.
  std::vector<AtomProbe> probes_;      // One for each layer.
  std::vector<Territory> everywhere_;  // Whatever the endpoint's name is.
  std::vector<Territory> nameless_;    // Where it has none.
  std::vector<OpenResidual> open_residuals_;
  std::vector<DomainClaim> domain_claims_;  // One for each of those.
  std::array<std::vector<NameClaim>, kNameActionCount> claims_;
  FindingsLog log_;
  CompileOutput output_;

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
        log_.Error(unlinked, {.code = "LOW-TEMPLATE",
                              .span = scope.span,
                              .message = "this is a template that nothing is linked to, and so "
                                         "decides nothing",
                              .hint = "write the entity instead of the slot"});
      }
    }
  }

  [[nodiscard]] bool IsForbid(uint32_t number) const {
    return facts_[number].verdict == Verdict::kDeny;
  }

  void AddPolicy(uint32_t layer, const PlacedPolicy& policy) {
    const auto number = static_cast<uint32_t>(facts_.size());
    facts_.push_back({.layer = layer, .id = policy.id, .verdict = VerdictOf(policy.policy)});
    placed_.push_back(&policy);
    conditional_.push_back(false);
    std::expected<ActionScope, Finding> scope =
        ActionScopeOf(policy.policy, EntitiesOf(number), input_.coverage);
    if (!scope) {
      log_.Error(policy, scope.error());
      return;
    }
    // A forbid that is held in part would be taken for one that is held.
    if (IsForbid(number) && !scope->oddities.empty()) {
      log_.Error(policy, scope->oddities.front());
      return;
    }
    log_.Warn(policy, scope->oddities);
    if (const std::optional<Finding> misuse = MisuseOfVerify(policy.policy, *scope)) {
      log_.Error(policy, *misuse);
      return;
    }
    if (layer == 0 || !input_.is_offline) AddNetPart(number, scope->net_actions);
    for (int i = 0; i < kNameActionCount; ++i) {
      if ((scope->name_actions >> i & 1U) != 0) {
        AddClaim(number, static_cast<NameAction>(i));
      }
    }
  }

  void AddNetPart(uint32_t number, uint8_t actions) {
    // Actions that leave the same residual share one truth.
    std::vector<ResidualOfActions> residuals;
    for (int i = 0; i < kNetActionCount; ++i) {
      if ((actions >> i & 1U) != 0) {
        AddNetResidual(number, static_cast<NetAction>(i), residuals);
      }
    }
    for (ResidualOfActions& residual : residuals) {
      if (AsksDomain(*residual.residual)) {
        AddDomainClaim(number, std::move(residual));
      } else if (std::optional<Territory> territory = Satisfied(number, residual, std::nullopt)) {
        everywhere_.push_back(*std::move(territory));
      } else {
        return;
      }
    }
  }

  void AddDomainClaim(uint32_t number, ResidualOfActions residual) {
    DomainFootprint footprint = DomainFootprintOf(*residual.residual, EntitiesOf(number));
    if (footprint.obstacle) {
      log_.Error(*placed_[number], *footprint.obstacle);
      return;
    }
    // A forbid that is held in part would be taken for one that is held.
    if (IsForbid(number) && !footprint.oddities.empty()) {
      log_.Error(*placed_[number], footprint.oddities.front());
      return;
    }
    log_.Warn(*placed_[number], footprint.oddities);
    if (std::optional<Territory> territory =
            SatisfiedAs(number, residual, /*domain=*/std::nullopt)) {
      nameless_.push_back(*std::move(territory));
    }
    domain_claims_.push_back({.policy = number, .footprint = std::move(footprint)});
    open_residuals_.push_back({.policy = number, .of_actions = std::move(residual)});
  }

  // Where the policy is satisfied if the endpoint has that name, or none; nothing where the policy
  // is refused.
  std::optional<Territory> SatisfiedAs(uint32_t number, const ResidualOfActions& residual,
                                       const std::optional<std::string>& domain) {
    const PartialRequest request =
        RequestOn(ActionUid(residual.first), OpenEndpoint(EntitiesOf(number)));
    const ExprPtr known = WithDomain(residual.residual, domain, EntitiesOf(number));
    ResidualOfActions rest = residual;
    rest.residual = PartialEvaluator(request, EntitiesOf(number)).Residual(known);
    return Satisfied(number, rest, domain);
  }

  [[nodiscard]] PartialRequest RequestOn(EntityUid action, PartialEntity resource) const {
    return {.principal = {.uid = input_.principal},
            .action = {.uid = std::move(action)},
            .resource = std::move(resource),
            .context = *input_.context.AsRecord(),
            .open_context = {},
            .open_attrs = {}};
  }

  // What is left to ask of the policy on events of the action; null where it is refused.
  ExprPtr ResidualOf(uint32_t number, EntityUid action, PartialEntity resource) {
    const PartialRequest request = RequestOn(std::move(action), std::move(resource));
    ExprPtr residual = now_ == nullptr ? nullptr : TimelessResidual(number, request);
    if (residual != nullptr && ReadsContext(*residual)) {
      if (!NoteTime(number, *residual)) {
        return nullptr;
      }
      residual = nullptr;
    }
    if (residual == nullptr) {
      residual = Reduce(number, request);
    }
    conditional_[number] = conditional_[number] || ConstantOf(*residual) == nullptr;
    return residual;
  }

  ExprPtr Reduce(uint32_t number, const PartialRequest& request) const {
    PartialEvaluator partial(request, EntitiesOf(number));
    return partial.Residual(WholeCondition(placed_[number]->policy));
  }

  // As if the time were still to come.
  ExprPtr TimelessResidual(uint32_t number, PartialRequest request) const {
    std::vector<RecordValue::Field> fields = request.context.fields();
    std::erase_if(fields, [](const RecordValue::Field& field) { return field.first == kNowAttr; });
    request.context = RecordValue(std::move(fields));
    request.open_context = {{.name = kNowAttr, .required = true}};
    return Reduce(number, request);
  }

  // How long what the policy says of the time stays as it is. False where the policy is refused.
  bool NoteTime(uint32_t number, const Expr& residual) {
    const std::expected<std::optional<int64_t>, Finding> until =
        UnchangedUntil(residual, now_->AsDatetime()->milliseconds());
    if (!until) {
      log_.Error(*placed_[number], until.error());
      return false;
    }
    std::optional<int64_t>& first = output_.rules.valid_until_ms;
    if (*until && (!first || **until < *first)) {
      first = *until;
    }
    return true;
  }

  void AddNetResidual(uint32_t number, NetAction action,
                      std::vector<ResidualOfActions>& residuals) {
    ExprPtr residual = ResidualOf(number, ActionUid(action), OpenEndpoint(EntitiesOf(number)));
    if (residual == nullptr) {
      return;
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

  // Where a residual that asks for no name is true, which comes from endpoints of `domain`; nothing
  // where the policy is refused.
  std::optional<Territory> Satisfied(uint32_t number, const ResidualOfActions& residual,
                                     const std::optional<std::string>& domain) {
    const PlacedPolicy& policy = *placed_[number];
    std::vector<Finding> oddities;
    const std::expected<EndpointTruth, Finding> truth =
        Lower(*residual.residual, probes_[facts_[number].layer], oddities);
    log_.Warn(policy, oddities);
    if (!truth) {
      log_.Error(policy, truth.error());
      return std::nullopt;
    }
    if (std::optional<NetEvent> event = FindError(*truth, residual.first)) {
      event->domain = domain;
      const LayerInput& layer = input_.layers[facts_[number].layer];
      ReportFailing(number, RequestFor(input_, layer, *event), EventText(*event));
      if (IsForbid(number)) {
        return std::nullopt;
      }
    }
    return TerritoryOf(number, *truth, residual.actions);
  }

  void AddClaim(uint32_t number, NameAction action) {
    const EntityStore& entities = EntitiesOf(number);
    ExprPtr residual = ResidualOf(number, ActionUid(action), OpenNamed(action, entities));
    if (residual == nullptr ||
        (ConstantOf(*residual) != nullptr && *ConstantOf(*residual) == Value::Bool(false))) {
      return;
    }
    NameFootprint footprint = NameFootprintOf(*residual, action, entities);
    if (footprint.obstacle) {
      log_.Error(*placed_[number], *footprint.obstacle);
      return;
    }
    log_.Warn(*placed_[number], footprint.oddities);
    claims_.at(static_cast<size_t>(action))
        .push_back({.policy = number,
                    .residual = std::move(residual),
                    .entities = &entities,
                    .footprint = std::move(footprint)});
  }

  void Assemble() {
    ReasonTable reasons(layers_, facts_);
    Arbiter arbiter(layers_.size(), facts_, reasons);
    AddNetTables(arbiter);
    const unsigned covered = NamesCovered(input_.coverage);
    for (int i = 0; i < kNameActionCount; ++i) {
      if ((covered & 1U << i) != 0) AddNameTables(static_cast<NameAction>(i), arbiter);
    }
    output_.rules.reasons = reasons.Take();
    AddProtectedNames();
    for (uint32_t number = 0; number < facts_.size(); ++number) {
      WarnOfUseless(number, arbiter);
    }
  }

  void AddNetTables(Arbiter& arbiter) {
    std::vector<const Territory*> territories;
    const auto add = [&](const Territory& territory) {
      if (territory.flow_sets.size() > 1) {
        territories.push_back(&territory);
      }
    };
    std::ranges::for_each(everywhere_, add);
    const std::vector<const Territory*> everywhere = territories;
    std::ranges::for_each(nameless_, add);
    std::expected<NetTables, TooLarge> tables = Combine(territories, arbiter, input_.limits);
    if (!tables) {
      ReportTooLarge(tables.error().message, {tables.error().policy});
      return;
    }
    output_.rules.prefixes = std::move(tables->prefixes);
    output_.rules.classes = std::move(tables->classes);
    AddDomainTables(everywhere, arbiter);
  }

  void AddDomainTables(const std::vector<const Territory*>& everywhere, Arbiter& arbiter) {
    std::expected<DomainTables, NamesTooLarge> tables = BuildDomainTables(
        domain_claims_, everywhere,
        [&](uint32_t claim, const std::string& domain) {
          const OpenResidual& open = open_residuals_[claim];
          return SatisfiedAs(open.policy, open.of_actions, domain);
        },
        arbiter, input_.limits);
    if (!tables) {
      ReportTooLarge(tables.error().message, tables.error().policies);
      return;
    }
    output_.rules.domains = std::move(tables->rules);
    output_.partitions.domains = std::move(tables->partition);
    for (DomainClaim& claim : domain_claims_) {
      const PolicyFacts& facts = facts_[claim.policy];
      if (facts.verdict != Verdict::kDeny) {
        output_.named_permits.push_back({.layer = layers_[facts.layer],
                                         .policy = placed_[claim.policy],
                                         .conditions = std::move(claim.footprint.conditions)});
      }
    }
  }

  // Of an action that is asked the same as one before, its tables are known. What they say of
  // reasons is the arbiter's, whatever the action is.
  bool CopyNameTables(NameAction action) {
    const std::vector<NameClaim>& claims = claims_.at(static_cast<size_t>(action));
    const auto is_same = [](const NameClaim& a, const NameClaim& b) {
      return a.policy == b.policy && SameExpr(*a.residual, *b.residual);
    };
    for (size_t i = 0; i < output_.rules.names.size(); ++i) {
      const NameAction other = output_.rules.names[i].action;
      if (ResourceTypeOf(other) != ResourceTypeOf(action) ||
          !std::ranges::equal(claims, claims_.at(static_cast<size_t>(other)), is_same)) {
        continue;
      }
      NameRules rules = output_.rules.names[i];
      rules.action = action;
      output_.rules.names.push_back(std::move(rules));
      output_.partitions.names.emplace_back(output_.partitions.names[i]);
      return true;
    }
    return false;
  }

  void AddNameTables(NameAction action, Arbiter& arbiter) {
    if (CopyNameTables(action)) {
      return;
    }
    const std::vector<NameClaim>& claims = claims_.at(static_cast<size_t>(action));
    std::expected<NameTables, NamesTooLarge> tables =
        BuildNameTables(action, claims, AnyRequestFor(input_, action, ResourceTypeOf(action)),
                        arbiter, input_.limits);
    if (!tables) {
      ReportTooLarge(tables.error().message, tables.error().policies);
      return;
    }
    for (const NameFailure& failure : tables->failures) {
      const LayerInput& layer = input_.layers[facts_[failure.policy].layer];
      ReportFailing(failure.policy, RequestFor(input_, layer, failure.event),
                    EventText(failure.event));
    }
    output_.partitions.names.push_back(std::move(tables->partition));
    output_.rules.names.push_back(std::move(tables->rules));
  }

  // Of what forbids name some part may be an exception to them, as in `unless`.
  void AddProtectedNames() {
    std::vector<std::string>& names = output_.rules.protected_names;
    for (const NameRules& rules : output_.rules.names) {
      if (!LiesInDirectories(ResourceTypeOf(rules.action))) continue;
      for (const NameClaim& claim : claims_.at(static_cast<size_t>(rules.action))) {
        if (!IsForbid(claim.policy)) continue;
        for (const NameCondition& condition : claim.footprint.conditions) {
          for (const Pattern& pattern : condition) {
            if (pattern.pieces.size() == 1 && IsForbidden(rules, pattern.pieces[0])) {
              names.push_back(pattern.pieces[0]);
            }
          }
        }
      }
    }
    std::ranges::sort(names);
    const auto repeated = std::ranges::unique(names);
    names.erase(repeated.begin(), repeated.end());
  }

  // Itself, or what is in it by a name that no policy knows.
  [[nodiscard]] bool IsForbidden(const NameRules& rules, const std::string& name) const {
    return IsCanonicalPath(name) &&
           (IsForbiddenAt(rules, name) || IsForbiddenAt(rules, name + "/\x01"));
  }

  // Whatever its flag is.
  [[nodiscard]] bool IsForbiddenAt(const NameRules& rules, const std::string& path) const {
    const size_t first = size_t{rules.automaton.ClassOf(path)} * rules.flag_count;
    for (size_t leaf = first; leaf < first + rules.flag_count; ++leaf) {
      const Reason& reason = output_.rules.reasons[rules.leaves.at(leaf).reason];
      const bool by_policy = std::ranges::any_of(
          reason.layers,
          [](const Reason::LayerPolicies& part) { return !part.policy_ids.empty(); });
      if (rules.leaves.at(leaf).verdict == Verdict::kDeny && by_policy) return true;
    }
    return false;
  }

  void ReportTooLarge(const std::string& message, const std::vector<uint32_t>& policies) {
    for (const uint32_t number : policies) {
      log_.Error(*placed_[number],
                 {.code = "LOW-SIZE",
                  .span = placed_[number]->policy.span,
                  .message = message + "; this one takes a large part",
                  .hint = "name ranges instead of single addresses and ports, and directories "
                          "instead of patterns with several *"});
    }
  }

  void ReportFailing(uint32_t number, const Request& request, const std::string& where) {
    const PlacedPolicy& policy = *placed_[number];
    const EvalResult result =
        Evaluator(request, EntitiesOf(number)).Evaluate(*WholeCondition(policy.policy));
    const std::string why = result ? "its condition is not a bool" : result.error().message;
    Finding finding{
        .code = "LOW-ERROR",
        .span = result ? policy.policy.span : result.error().span,
        .message = "this permit fails on " + where + " (" + why + ") and permits nothing there",
        .hint = "let the condition hold or not on every event, with `has` or a bound"};
    if (!IsForbid(number)) {
      log_.Warn(policy, finding);
      return;
    }
    finding.message = "this forbid fails on " + where + " (" + why +
                      "), and a forbid that fails would let it through";
    log_.Error(policy, finding);
  }

  void WarnOfUseless(uint32_t number, const Arbiter& arbiter) {
    const PlacedPolicy& policy = *placed_[number];
    if (conditional_[number] && !arbiter.was_satisfied(number) && !log_.HasWarningOf(policy)) {
      log_.Warn(policy, {.code = "LOW-NEVER",
                         .span = policy.policy.span,
                         .message = "the conditions of this policy hold on no event",
                         .hint = "look for conditions that exclude each other"});
    }
    if (!IsForbid(number) && arbiter.was_satisfied(number) && !arbiter.was_free(number)) {
      log_.Warn(policy, {.code = "LOW-SHADOW",
                         .span = policy.policy.span,
                         .message = "everything that this policy permits is forbidden",
                         .hint = "leave it out, or make the forbid narrower"});
    }
  }

  const EntityStore& EntitiesOf(uint32_t number) const {
    return *input_.layers[facts_[number].layer].entities;
  }
};

}  // namespace

std::expected<CompileOutput, std::vector<Diagnostic>> CompileRules(const CompileInput& input) {
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

}  // namespace palyra::policy
