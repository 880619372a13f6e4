#include "tests/unit/policy/compile_fixture.h"

#include <memory>
#include <stdexcept>

#include "policy/schema/palyra_schema.h"

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
  static const Schema kSchema = PalyraSchema({}).value();
  std::vector<Entity> all;
  for (const auto& [uid, entity] : entities->entities()) {
    all.push_back(entity);
  }
  for (const auto& [uid, action] : kSchema.action_entities().entities()) {
    if (entities->Find(uid) == nullptr) {
      all.push_back(action);
    }
  }
  entities_ = *EntityStore::Create(std::move(all));
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

Outcome OutcomeOf(const RuleSet& rules, const NetEvent& event) {
  const Ruling ruling = Decide(rules, event);
  return {.verdict = ruling.verdict, .reason = rules.reasons.at(ruling.reason)};
}

Outcome OutcomeOf(const RuleSet& rules, const NameEvent& event) {
  const Ruling ruling = Decide(rules, event);
  return {.verdict = ruling.verdict, .reason = rules.reasons.at(ruling.reason)};
}

}  // namespace palyra::policy
