#include "policy/schema/data.h"

#include <algorithm>
#include <utility>

#include "policy/entity_json.h"
#include "policy/printer.h"

namespace palyra::policy {
namespace {

std::unexpected<Error> FailWith(std::string message) {
  return Fail(ErrorCode::kInvalidArgument, std::move(message));
}

std::string Expected(const Type& type, const Value& value) {
  return "expected " + ToText(type) + ", found " + ToCedar(value);
}

std::optional<std::string> IdMismatch(const EntityUid& uid, const EntityTypeInfo& info,
                                      const Schema& schema) {
  if (info.is_action && schema.FindAction(uid) == nullptr) {
    return ToCedar(uid) + " is not declared as an action";
  }
  if (!info.AllowsId(uid.id())) {
    return ToCedar(uid) + " is not one of the entities that its type lists";
  }
  return std::nullopt;
}

std::optional<std::string> EntityMismatch(const Value& value, const Type& type,
                                          const Schema& schema) {
  const EntityUid* uid = value.AsEntity();
  if (uid == nullptr) {
    return Expected(type, value);
  }
  const auto info = std::ranges::find(type.entities, uid->type(), &EntityTypeInfo::name);
  return info == type.entities.end() ? Expected(type, value) : IdMismatch(*uid, **info, schema);
}

std::optional<std::string> SetMismatch(const Value& value, const Type& type, const Schema& schema) {
  if (value.AsSet() == nullptr) {
    return Expected(type, value);
  }
  for (const Value& element : value.AsSet()->elements()) {
    if (const auto why = Mismatch(element, *type.element, schema)) {
      return "an element: " + *why;
    }
  }
  return std::nullopt;
}

// Attributes of an entity or a record. `word` is what one of them is called.
std::optional<std::string> RecordMismatch(const RecordValue& record, const Type& type,
                                          const Schema& schema) {
  for (const auto& [name, value] : record.fields()) {
    const AttributeType* attribute = type.FindAttribute(name);
    if (attribute == nullptr) {
      return "attribute " + QuoteString(name) + ": the schema has no such attribute here";
    }
    if (const auto why = Mismatch(value, *attribute->type, schema)) {
      return "attribute " + QuoteString(name) + ": " + *why;
    }
  }
  for (const AttributeType& attribute : type.attributes) {
    if (attribute.required && record.Find(attribute.name) == nullptr) {
      return "the attribute " + QuoteString(attribute.name) + " is missing";
    }
  }
  return std::nullopt;
}

bool IsOfKind(const Value& value, const Type& type) {
  switch (type.kind) {
    case TypeKind::kBool:
      return value.AsBool() != nullptr;
    case TypeKind::kLong:
      return value.AsLong() != nullptr;
    case TypeKind::kString:
      return value.AsString() != nullptr;
    case TypeKind::kExtension:
      return KindName(value.kind()) == NameOf(type.extension);
    default:
      // Never, and the types of one boolean, stand in no schema.
      return false;
  }
}

Result<Entity> EntityOfFrame(EntityFrame frame, const Schema& schema) {
  const EntityTypeInfo* info = schema.FindEntityType(frame.uid.type());
  if (info == nullptr) {
    return FailWith(frame.place + ": the schema has no entity type " + frame.uid.type());
  }
  const Result<Value> attrs = TypedValueFromJson(*frame.attrs, *info->shape, frame.place);
  if (!attrs) {
    return std::unexpected(attrs.error());
  }
  std::vector<RecordValue::Field> tags;
  if (frame.tags != nullptr && frame.tags->AsObject() == nullptr) {
    return FailWith(frame.place + ": \"tags\" must be an object");
  }
  for (const JsonNode& member :
       frame.tags == nullptr ? std::vector<JsonNode>() : frame.tags->AsObject()->members) {
    const std::string place = frame.place + ": tag " + QuoteString(member.key);
    if (info->tags == nullptr) {
      return FailWith(place + ": entities of this type have no tags");
    }
    Result<Value> value = TypedValueFromJson(member, *info->tags, place);
    if (!value) {
      return std::unexpected(std::move(value).error());
    }
    tags.emplace_back(member.key, *std::move(value));
  }
  return Entity{.uid = std::move(frame.uid),
                .attrs = *attrs->AsRecord(),
                .tags = RecordValue(std::move(tags)),
                .ancestors = std::move(frame.parents)};
}

// Why an entity, its ancestors complete, is not as the schema wants it.
std::optional<std::string> EntityMismatch(const Entity& entity, const Schema& schema) {
  const EntityTypeInfo& info = *schema.FindEntityType(entity.uid.type());
  if (const auto why = IdMismatch(entity.uid, info, schema)) {
    return why;
  }
  if (info.is_action) {
    return entity == *schema.action_entities().Find(entity.uid)
               ? std::nullopt
               : std::optional<std::string>(
                     "an action must be as the schema declares it, with all of its ancestors; "
                     "leave it out to have it added");
  }
  if (const auto why = RecordMismatch(entity.attrs, *info.shape, schema)) {
    return why;
  }
  for (const auto& [key, value] : entity.tags.fields()) {
    if (const auto why = Mismatch(value, *info.tags, schema)) {
      return "tag " + QuoteString(key) + ": " + *why;
    }
  }
  for (const EntityUid& ancestor : entity.ancestors) {
    const EntityTypeInfo* type = schema.FindEntityType(ancestor.type());
    if (type == nullptr || !info.CanHaveAncestor(*type)) {
      return "the schema allows no ancestor of type " + ancestor.type();
    }
    if (const auto why = IdMismatch(ancestor, *type, schema)) {
      return "ancestor " + *why;
    }
  }
  return std::nullopt;
}

// Closed, and each one conforming.
Result<EntityStore> CheckedStore(std::vector<Entity> entities, const Schema& schema) {
  Result<EntityStore> store = EntityStore::Create(std::move(entities));
  if (!store) {
    return store;
  }
  for (const auto& [uid, entity] : store->entities()) {
    if (const auto why = EntityMismatch(entity, schema)) {
      return FailWith(ToCedar(uid) + ": " + *why);
    }
  }
  return store;
}

Result<EntityStore> StoreWithActions(std::vector<Entity> entities, const Schema& schema) {
  // Actions of the file are judged by the ancestors that the file gives them.
  const auto actions = std::ranges::partition(entities, [&](const Entity& entity) {
    return !schema.FindEntityType(entity.uid.type())->is_action;
  });
  std::vector<Entity> given(actions.begin(), actions.end());
  entities.erase(actions.begin(), actions.end());
  Result<EntityStore> checked = CheckedStore(std::move(given), schema);
  if (!checked) {
    return checked;
  }
  for (const auto& [uid, action] : schema.action_entities().entities()) {
    entities.push_back(action);
  }
  return CheckedStore(std::move(entities), schema);
}

std::optional<std::string> PartMismatch(std::string_view part, const EntityUid& uid,
                                        const std::vector<const EntityTypeInfo*>& allowed,
                                        const EntityUid& action, const Schema& schema) {
  const EntityTypeInfo* info = schema.FindEntityType(uid.type());
  const std::string place = std::string(part) + ": ";
  if (info == nullptr || info->is_action) {
    return place + "the schema has no entity type " + uid.type();
  }
  if (std::ranges::find(allowed, info) == allowed.end()) {
    return place + ToCedar(action) + " does not apply to a " + std::string(part) + " of type " +
           uid.type();
  }
  const auto why = IdMismatch(uid, *info, schema);
  return why ? std::optional(place + *why) : std::nullopt;
}

}  // namespace

std::optional<std::string> Mismatch(const Value& value, const Type& type, const Schema& schema) {
  switch (type.kind) {
    case TypeKind::kEntity:
      return EntityMismatch(value, type, schema);
    case TypeKind::kSet:
      return SetMismatch(value, type, schema);
    case TypeKind::kRecord:
      return value.AsRecord() == nullptr ? Expected(type, value)
                                         : RecordMismatch(*value.AsRecord(), type, schema);
    default:
      return IsOfKind(value, type) ? std::nullopt : std::optional(Expected(type, value));
  }
}

Result<EntityStore> EntitiesFromJson(const SourceFile& source, const Schema& schema) {
  Result<std::vector<Entity>> entities = EntityListFromJson(
      source, [&](EntityFrame frame) { return EntityOfFrame(std::move(frame), schema); });
  if (!entities) {
    return std::unexpected(std::move(entities).error());
  }
  Result<EntityStore> store = StoreWithActions(*std::move(entities), schema);
  if (!store) {
    store.error().message.insert(0, source.name() + ": ");
  }
  return store;
}

Result<Value> ContextFromJson(const SourceFile& source, const Schema& schema,
                              const EntityUid& action) {
  const ActionInfo* info = schema.FindAction(action);
  if (info == nullptr) {
    return FailWith("action: " + ToCedar(action) + " is not declared as an action");
  }
  const Result<JsonNode> root = ParseJson(source);
  if (!root) {
    return std::unexpected(root.error());
  }
  return TypedValueFromJson(*root, *info->context, source.name());
}

Result<void> ValidateRequest(const Request& request, const Schema& schema) {
  const ActionInfo* action = schema.FindAction(request.action);
  if (action == nullptr) {
    return FailWith("action: " + ToCedar(request.action) + " is not declared as an action");
  }
  if (auto why =
          PartMismatch("principal", request.principal, action->principals, action->uid, schema)) {
    return FailWith(*std::move(why));
  }
  if (auto why =
          PartMismatch("resource", request.resource, action->resources, action->uid, schema)) {
    return FailWith(*std::move(why));
  }
  if (const auto why = Mismatch(request.context, *action->context, schema)) {
    return FailWith("context: " + *why);
  }
  return {};
}

}  // namespace palyra::policy
