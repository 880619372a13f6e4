#include "tests/unit/policy/compile_fixture.h"

#include <memory>
#include <stdexcept>

namespace palyra::policy {

CompileFixture::CompileFixture(const std::vector<std::pair<Layer, std::string>>& layers,
                               std::string_view entities_json, std::string_view context_json)
    : input_{.principal = EntityUid("Palyra::Agent", "bot"),
             .context = Value::Record({}),
             .layers = {}} {
  Result<EntityStore> entities =
      EntityStore::FromJson(SourceFile("entities.json", std::string(entities_json)));
  Result<Value> context = ContextFromJson(SourceFile("context.json", std::string(context_json)));
  if (!entities || !context) {
    throw std::runtime_error(!entities ? entities.error().message : context.error().message);
  }
  entities_ = *std::move(entities);
  input_.context = *std::move(context);
  policies_.reserve(layers.size());
  for (const auto& [layer, text] : layers) {
    auto parsed = PolicySet::Parse({std::make_shared<const SourceFile>("test.cedar", text)});
    if (!parsed) {
      throw std::runtime_error(Render(parsed.error()));
    }
    policies_.push_back(*std::move(parsed));
    input_.layers.push_back(
        {.layer = layer, .policies = &policies_.back(), .entities = &entities_});
  }
}

NetEvent Event(std::string_view address, uint16_t port, Protocol protocol, NetAction action) {
  const IpAddress ip = IpAddress::Parse(address).value();
  return {.action = action,
          .protocol = protocol,
          .is_ipv6 = ip.is_ipv6(),
          .address = ip.bytes(),
          .port = port};
}

std::string EventText(const NetEvent& event) {
  return std::string(ActionName(event.action)) + ' ' + EndpointEntity(event).uid.id();
}

NetOutcome Outcome(const RuleSet& rules, const NetEvent& event) {
  const NetDecision decision = Decide(rules, event);
  return {.verdict = decision.verdict, .reason = rules.reasons.at(decision.reason)};
}

}  // namespace palyra::policy
