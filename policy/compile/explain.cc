#include "policy/compile/explain.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "policy/authorizer.h"
#include "policy/compile/endpoint.h"
#include "policy/compile/named_resource.h"
#include "policy/partial.h"
#include "policy/printer.h"

namespace palyra::policy {
namespace {

PolicyAnswer AnswerOf(const CompileInput& input, const LayerInput& layer, size_t index,
                      const EntityUid& action, PartialEntity resource, std::string error) {
  const PlacedPolicy& placed = (*layer.policies)[index];
  const PartialRequest request{.principal = {.uid = input.principal},
                               .action = {.uid = action},
                               .resource = std::move(resource),
                               .context = *input.context.AsRecord(),
                               .open_context = {},
                               .open_attrs = {}};
  const std::string* asks = placed.policy.FindAnnotation("ask");
  return {.label = placed.Label(),
          .is_forbid = placed.policy.effect == Effect::kForbid,
          .asks = asks == nullptr ? "" : *asks,
          .verifies = placed.policy.verifies(),
          .residual = ToCedar(
              *PartialEvaluator(request, *layer.entities).Residual(WholeCondition(placed.policy))),
          .error = std::move(error)};
}

LayerAnswer AnswerOf(const CompileInput& input, const LayerInput& layer, const Request& request,
                     const PartialEntity& resource) {
  const Judgement judgement = Judge(*layer.policies, request, *layer.entities);
  LayerAnswer answer{.layer = layer.layer, .verdict = judgement.verdict, .policies = {}};
  for (const size_t index : judgement.reasons) {
    const bool fails =
        std::ranges::find(judgement.errors, index, &PolicyError::policy) != judgement.errors.end();
    if (!fails) {
      answer.policies.push_back(AnswerOf(input, layer, index, request.action, resource, ""));
    }
  }
  for (const auto& [index, error] : judgement.errors) {
    answer.policies.push_back(
        AnswerOf(input, layer, index, request.action, resource, error.message));
  }
  return answer;
}

template <typename RequestOf>
Explanation ExplainWith(const CompileInput& input, std::string event, RequestOf request_of,
                        const PartialEntity& resource) {
  Explanation explanation{
      .event = std::move(event), .verdict = Verdict::kAllow, .layers = {}, .table = ""};
  for (const LayerInput& layer : input.layers) {
    explanation.layers.push_back(AnswerOf(input, layer, request_of(layer), resource));
    explanation.verdict = std::min(explanation.verdict, explanation.layers.back().verdict);
  }
  return explanation;
}

// Everything is known here, so what the condition is in the policy says more than what is left of
// it.
PolicyAnswer AnswerOf(const PlacedPolicy& placed, std::string error) {
  const std::string* asks = placed.policy.FindAnnotation("ask");
  return {.label = placed.Label(),
          .is_forbid = placed.policy.effect == Effect::kForbid,
          .asks = asks == nullptr ? "" : *asks,
          .verifies = placed.policy.verifies(),
          .residual = ToCedar(*WholeCondition(placed.policy)),
          .error = std::move(error)};
}

std::string DomainText(const RuleSet& rules, const NetEvent& event) {
  return event.domain && rules.domains
             ? "names " + std::to_string(rules.domains->automaton.ClassOf(*event.domain)) + ", "
             : "";
}

std::string PrefixText(const NetTablesView& tables, const NetEvent& event) {
  for (int length = event.is_ipv6 ? 128 : 32; length >= 0; --length) {
    const IpAddress range =
        *IpAddress::Create(event.is_ipv6, event.address, static_cast<uint8_t>(length));
    const auto is_it = [&](const AddressPrefix& prefix) {
      return prefix.is_ipv6 == event.is_ipv6 && prefix.length == length &&
             prefix.bytes == range.Masked().bytes();
    };
    if (std::ranges::any_of(tables.prefixes, is_it)) {
      return "prefix " + range.Masked().ToString();
    }
  }
  return "no prefix";
}

std::string RulingText(const RuleSet& rules, const Ruling& ruling) {
  return std::string(VerdictName(ruling.verdict)) + ", reason " + std::to_string(ruling.reason) +
         ": " + ReasonText(rules.reasons.at(ruling.reason));
}

// Lists of hundreds of places are cut where a line can still be read.
std::string Shortened(const std::string& condition) {
  constexpr size_t kMost = 200;
  if (condition.size() <= kMost) {
    return condition;
  }
  size_t end = kMost;
  while (end > 0 && (static_cast<unsigned char>(condition[end]) & 0xC0U) == 0x80U) {
    --end;
  }
  return condition.substr(0, end) + "…";
}

std::string LayerText(const LayerAnswer& layer) {
  std::string text =
      "  " + std::string(LayerName(layer.layer)) + ": " + std::string(VerdictName(layer.verdict));
  const bool leaves_it = layer.verdict == Verdict::kAllow;
  if (layer.policies.empty()) {
    text +=
        leaves_it ? ", because none of its policies is about it" : ", because no policy permits it";
  }
  text += '\n';
  for (const PolicyAnswer& policy : layer.policies) {
    text += std::string("    ") + (policy.is_forbid ? "forbid " : "permit ") + policy.label + '\n';
    if (!policy.error.empty()) {
      text += "      fails: " + policy.error + '\n';
    }
    if (!policy.asks.empty()) {
      text += "      asks a person: " + policy.asks + '\n';
    }
    if (policy.verifies) {
      text += "      what the client says once it is connected must name an allowed host\n";
    }
    text += "      holds where " + Shortened(policy.residual) + '\n';
  }
  return text;
}

}  // namespace

Explanation Explain(const CompileInput& input, const RuleSet& rules, const NetEvent& event) {
  Explanation explanation = ExplainWith(
      input, EventText(event),
      [&](const LayerInput& layer) { return RequestFor(input, layer, event); },
      OpenEndpoint(*input.layers.front().entities));
  const NetTablesView tables = TablesFor(rules, event.domain);
  explanation.table = DomainText(rules, event) + PrefixText(tables, event) + ", class " +
                      std::to_string(ClassOf(tables, event.is_ipv6, event.address)) + ": " +
                      RulingText(rules, Decide(rules, event));
  return explanation;
}

Explanation Explain(const CompileInput& input, const RuleSet& rules, const NameEvent& event) {
  Explanation explanation = ExplainWith(
      input, EventText(event),
      [&](const LayerInput& layer) { return RequestFor(input, layer, event); },
      OpenNamed(event.action, *input.layers.front().entities));
  const NameRules* names = FindRules(rules, event.action);
  if (names != nullptr) {
    const uint32_t state = names->automaton.StateAfter(Automaton::kStart, event.name);
    explanation.table = "state " + std::to_string(state) + ", class " +
                        std::to_string(names->automaton.ClassAt(state)) + ", flag " +
                        std::to_string(FlagOf(*names, event)) + ": ";
  }
  explanation.table += RulingText(rules, Decide(rules, event));
  return explanation;
}

Explanation Explain(std::span<const LayerInput> layers, const ExecutionRequest& request) {
  Explanation explanation{.event = ExecuteAction().id() + ' ' + request.tool.id(),
                          .verdict = Verdict::kAllow,
                          .layers = {},
                          .table = ""};
  for (const LayerInput& layer : layers) {
    const Judgement judgement = JudgeExecution(layer, request);
    LayerAnswer answer{.layer = layer.layer, .verdict = judgement.verdict, .policies = {}};
    for (const size_t index : judgement.reasons) {
      const auto error = std::ranges::find(judgement.errors, index, &PolicyError::policy);
      if (error == judgement.errors.end()) {
        answer.policies.push_back(AnswerOf((*layer.policies)[index], ""));
      }
    }
    for (const auto& [index, error] : judgement.errors) {
      answer.policies.push_back(AnswerOf((*layer.policies)[index], error.message));
    }
    explanation.verdict = std::min(explanation.verdict, answer.verdict);
    explanation.layers.push_back(std::move(answer));
  }
  return explanation;
}

std::string ToText(const Explanation& explanation) {
  std::string text =
      explanation.event + ": " + std::string(VerdictName(explanation.verdict)) + '\n';
  for (const LayerAnswer& layer : explanation.layers) {
    text += LayerText(layer);
  }
  if (explanation.table.empty()) return text;
  return text + "  table: " + explanation.table + '\n';
}

}  // namespace palyra::policy
