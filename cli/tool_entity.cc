#include "cli/tool_entity.h"

#include <utility>

#include "policy/entities.h"
#include "policy/execution.h"

namespace palyra::cli {
namespace {

using policy::Entity;
using policy::RecordValue;
using policy::Value;

constexpr const char* kSensitivity = "sensitivity";
constexpr const char* kCapabilities = "capabilities";

RecordValue WithTraits(const RecordValue& attributes, const ToolTraits& traits) {
  std::vector<RecordValue::Field> fields = attributes.fields();
  std::erase_if(fields, [](const RecordValue::Field& field) {
    return field.first == kSensitivity || field.first == kCapabilities;
  });
  std::vector<Value> capabilities;
  capabilities.reserve(traits.capabilities.size());
  for (const std::string& name : traits.capabilities) capabilities.push_back(Value::String(name));
  fields.emplace_back(kSensitivity, Value::String(traits.sensitivity));
  fields.emplace_back(kCapabilities, Value::Set(std::move(capabilities)));
  return RecordValue(std::move(fields));
}

bool HasTraits(const Entity& entity) {
  return entity.attrs.Find(kSensitivity) != nullptr && entity.attrs.Find(kCapabilities) != nullptr;
}

// Those of the store, with the tool.
std::vector<Entity> EntitiesWith(const policy::EntityStore& store, const policy::EntityUid& uid,
                                 const ToolTraits& traits) {
  const ToolTraits unknown = TraitsOf(engine::UnknownTool());
  Entity tool{.uid = uid, .attrs = {}, .tags = {}, .ancestors = {}};
  std::vector<Entity> entities;
  for (const auto& [known, entity] : store.entities()) {
    if (known == uid) {
      tool = entity;
      continue;
    }
    entities.push_back(entity);
    const bool lacks = known.type() == policy::kToolType && !HasTraits(entity);
    if (lacks) entities.back().attrs = WithTraits(entity.attrs, unknown);
  }
  tool.attrs = WithTraits(tool.attrs, traits);
  entities.push_back(std::move(tool));
  return entities;
}

Result<void> AddTo(LayerPolicies& layer, const policy::EntityUid& uid, const ToolTraits& traits) {
  auto store = policy::EntityStore::Create(EntitiesWith(layer.entities, uid, traits));
  if (!store) return std::unexpected(store.error());
  layer.entities = *std::move(store);
  return {};
}

}  // namespace

ToolTraits TraitsOf(const engine::ToolMetadata& tool) {
  ToolTraits traits{.sensitivity = std::string(engine::SensitivityName(tool.sensitivity)),
                    .capabilities = {}};
  for (const engine::Capability capability : tool.capabilities) {
    traits.capabilities.emplace_back(engine::CapabilityName(capability));
  }
  return traits;
}

Result<void> AddTool(std::span<LayerPolicies> layers, const std::string& name,
                     const ToolTraits& traits) {
  const policy::EntityUid uid(std::string(policy::kToolType), name);
  for (LayerPolicies& layer : layers) {
    if (layer.layer == policy::Layer::kMandatory) continue;
    if (Result<void> added = AddTo(layer, uid, traits); !added) return added;
  }
  return {};
}

}  // namespace palyra::cli
