#include <nlohmann/json.hpp>
#include <utility>

#include "policy/schema/printer.h"

namespace palyra::policy {
namespace {

using Json = nlohmann::ordered_json;
using Kind = WrittenType::Kind;

void AddAnnotations(Json& json, const std::vector<Annotation>& annotations) {
  for (const Annotation& annotation : annotations) {
    json["annotations"][annotation.key] = annotation.value;
  }
}

Json TypeJson(const WrittenType& type);

Json RecordJson(const WrittenType& type) {
  Json json = {{"type", "Record"}, {"attributes", Json::object()}};
  for (const auto& [name, attribute] : type.attributes) {
    Json member = TypeJson(*attribute.type);
    if (!attribute.required) {
      member["required"] = false;
    }
    AddAnnotations(member, attribute.annotations);
    json["attributes"][name] = std::move(member);
  }
  return json;
}

Json TypeJson(const WrittenType& type) {
  switch (type.kind) {
    case Kind::kString:
      return {{"type", "String"}};
    case Kind::kLong:
      return {{"type", "Long"}};
    case Kind::kBool:
      return {{"type", "Boolean"}};
    case Kind::kSet:
      return {{"type", "Set"}, {"element", TypeJson(*type.element)}};
    case Kind::kRecord:
      return RecordJson(type);
    case Kind::kEntity:
      return {{"type", "Entity"}, {"name", type.name}};
    case Kind::kEntityOrCommon:
      return {{"type", "EntityOrCommon"}, {"name", type.name}};
    case Kind::kExtension:
      return {{"type", "Extension"}, {"name", type.name}};
    case Kind::kCommon:
      return {{"type", type.name}};
  }
  std::unreachable();
}

Json NamesJson(const std::vector<WrittenName>& names) {
  Json json = Json::array();
  for (const WrittenName& name : names) {
    json.push_back(name.name);
  }
  return json;
}

Json EntityJson(const WrittenEntityType& entity) {
  Json json = Json::object();
  if (!entity.enum_ids.empty()) {
    json["enum"] = entity.enum_ids;
  }
  if (!entity.member_of.empty()) {
    json["memberOfTypes"] = NamesJson(entity.member_of);
  }
  if (!entity.shape->is_empty_record()) {
    json["shape"] = TypeJson(*entity.shape);
  }
  if (entity.tags != nullptr) {
    json["tags"] = TypeJson(*entity.tags);
  }
  AddAnnotations(json, entity.annotations);
  return json;
}

Json ActionJson(const WrittenAction& action) {
  Json json = Json::object();
  if (action.applies_to) {
    Json& applies_to = json["appliesTo"];
    applies_to["resourceTypes"] = NamesJson(action.applies_to->resources);
    applies_to["principalTypes"] = NamesJson(action.applies_to->principals);
    if (!action.applies_to->context->is_empty_record()) {
      applies_to["context"] = TypeJson(*action.applies_to->context);
    }
  }
  if (action.member_of) {
    Json& parents = json["memberOf"] = Json::array();
    for (const WrittenActionRef& ref : *action.member_of) {
      Json parent = {{"id", ref.id}};
      if (ref.type) {
        parent["type"] = *ref.type;
      }
      parents.push_back(std::move(parent));
    }
  }
  AddAnnotations(json, action.annotations);
  return json;
}

}  // namespace

std::string ToSchemaJson(const SchemaFragment& fragment) {
  Json json = Json::object();
  for (const auto& [name, scope] : fragment.namespaces) {
    Json& out = json[name] = Json::object();
    for (const auto& [type, common] : scope.common_types) {
      Json member = TypeJson(*common.type);
      AddAnnotations(member, common.annotations);
      out["commonTypes"][type] = std::move(member);
    }
    out["entityTypes"] = Json::object();
    for (const auto& [type, entity] : scope.entity_types) {
      out["entityTypes"][type] = EntityJson(entity);
    }
    out["actions"] = Json::object();
    for (const auto& [id, action] : scope.actions) {
      out["actions"][id] = ActionJson(action);
    }
    AddAnnotations(out, scope.annotations);
  }
  return json.dump();
}

}  // namespace palyra::policy
