#include "policy/json_value.h"

#include <optional>
#include <utility>
#include <vector>

#include "policy/evaluator.h"
#include "policy/extension.h"
#include "policy/parser.h"
#include "policy/printer.h"

namespace palyra::policy {
namespace {

std::unexpected<Error> FailAt(const std::string& place, const std::string& why) {
  return Fail(ErrorCode::kInvalidArgument, place + ": " + why);
}

// The value behind the only key of an object, where that is `key`.
const JsonNode* FindEscape(const JsonNode& node, std::string_view key) {
  const JsonNode::Object* object = node.AsObject();
  return object != nullptr && object->members.size() == 1 ? node.Find(key) : nullptr;
}

Result<EntityUid> TypeAndIdFromJson(const JsonNode& node, const std::string& place) {
  const JsonNode* type = node.Find("type");
  const JsonNode* id = node.Find("id");
  if (type == nullptr || type->AsString() == nullptr || id == nullptr ||
      id->AsString() == nullptr) {
    return FailAt(place, "an entity is written {\"type\": \"…\", \"id\": \"…\"}");
  }
  if (!IsTypeName(*type->AsString())) {
    return FailAt(place, QuoteString(*type->AsString()) +
                             " is not an entity type; write names joined by :: without spaces");
  }
  return EntityUid(*type->AsString(), *id->AsString());
}

Result<std::vector<Value>> ArgumentsFromJson(const JsonNode& call, const std::string& place) {
  const JsonNode* arg = call.Find("arg");
  const JsonNode* args = call.Find("args");
  std::vector<Value> values;
  if (arg != nullptr && args == nullptr) {
    Result<Value> value = ValueFromJson(*arg, place);
    if (!value) {
      return std::unexpected(std::move(value).error());
    }
    values.push_back(*std::move(value));
    return values;
  }
  if (args == nullptr || arg != nullptr || args->AsArray() == nullptr) {
    return FailAt(place, "an extension value is written {\"fn\": \"…\", \"arg\": …}");
  }
  for (const JsonNode& node : *args->AsArray()) {
    Result<Value> value = ValueFromJson(node, place);
    if (!value) {
      return std::unexpected(std::move(value).error());
    }
    values.push_back(*std::move(value));
  }
  return values;
}

Result<Value> CallFromJson(const JsonNode& call, const std::string& place) {
  const JsonNode* name = call.Find("fn");
  if (name == nullptr || name->AsString() == nullptr) {
    return FailAt(place, "an extension value is written {\"fn\": \"…\", \"arg\": …}");
  }
  const std::optional<Function> function = FindFunction(*name->AsString());
  if (!function) {
    return FailAt(place, "there is no function " + QuoteString(*name->AsString()));
  }
  Result<std::vector<Value>> args = ArgumentsFromJson(call, place);
  if (!args) {
    return std::unexpected(std::move(args).error());
  }
  EvalResult value = ApplyCall(*function, *args, Span{});
  if (!value) {
    return FailAt(place, value.error().message);
  }
  return *std::move(value);
}

Result<Value> SetFromJson(const JsonNode::Array& array, const std::string& place) {
  std::vector<Value> elements;
  elements.reserve(array.size());
  for (const JsonNode& node : array) {
    Result<Value> value =
        ValueFromJson(node, place + ": element " + std::to_string(elements.size()));
    if (!value) {
      return value;
    }
    elements.push_back(*std::move(value));
  }
  return Value::Set(std::move(elements));
}

}  // namespace

Result<EntityUid> UidFromJson(const JsonNode& node, const std::string& place) {
  const JsonNode* escaped = FindEscape(node, "__entity");
  return TypeAndIdFromJson(escaped == nullptr ? node : *escaped, place);
}

Result<RecordValue> RecordFromJson(const JsonNode& node, const std::string& place,
                                   const std::string& member_word) {
  const JsonNode::Object* object = node.AsObject();
  if (object == nullptr) {
    return FailAt(place, "expected an object");
  }
  std::vector<RecordValue::Field> fields;
  fields.reserve(object->members.size());
  for (const JsonNode& member : object->members) {
    std::string member_place = place;
    member_place.append(": ").append(member_word).append(" ").append(QuoteString(member.key));
    Result<Value> value = ValueFromJson(member, member_place);
    if (!value) {
      return std::unexpected(std::move(value).error());
    }
    fields.emplace_back(member.key, *std::move(value));
  }
  return RecordValue(std::move(fields));
}

Result<Value> ValueFromJson(const JsonNode& node, const std::string& place) {
  if (const bool* value = node.AsBool()) {
    return Value::Bool(*value);
  }
  if (const int64_t* value = node.AsLong()) {
    return Value::Long(*value);
  }
  if (const std::string* value = node.AsString()) {
    return Value::String(*value);
  }
  if (const JsonNode::Array* array = node.AsArray()) {
    return SetFromJson(*array, place);
  }
  if (node.AsObject() == nullptr) {
    return FailAt(place, "null is not a Cedar value; leave the attribute out");
  }
  if (const JsonNode* entity = FindEscape(node, "__entity")) {
    Result<EntityUid> uid = TypeAndIdFromJson(*entity, place);
    return uid ? Result<Value>(Value::Entity(*std::move(uid)))
               : std::unexpected(std::move(uid).error());
  }
  if (const JsonNode* call = FindEscape(node, "__extn")) {
    return CallFromJson(*call, place);
  }
  if (FindEscape(node, "__expr") != nullptr) {
    return FailAt(place,
                  "the escape \"__expr\" is no longer part of Cedar; use \"__entity\" or "
                  "\"__extn\"");
  }
  Result<RecordValue> record = RecordFromJson(node, place, "attribute");
  return record ? Result<Value>(Value::Record(record->fields()))
                : std::unexpected(std::move(record).error());
}

}  // namespace palyra::policy
