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

struct TypeAndId {
  const std::string* type;
  const std::string* id;
};

std::optional<TypeAndId> FindTypeAndId(const JsonNode& node) {
  const JsonNode::Array* array = node.AsArray();
  const bool is_pair = array != nullptr && array->size() == 2;
  const JsonNode* type = is_pair ? array->data() : node.Find("type");
  const JsonNode* id = is_pair ? &array->back() : node.Find("id");
  if (type == nullptr || type->AsString() == nullptr || id == nullptr ||
      id->AsString() == nullptr) {
    return std::nullopt;
  }
  return TypeAndId{.type = type->AsString(), .id = id->AsString()};
}

Result<EntityUid> MakeUid(const TypeAndId& names, const std::string& place) {
  if (!IsTypeName(*names.type)) {
    return FailAt(place, QuoteString(*names.type) +
                             " is not an entity type; write names joined by :: without spaces");
  }
  return EntityUid(*names.type, *names.id);
}

Result<Value> EvaluateCall(const CallJson& call, const std::string& place) {
  const std::optional<Function> function = FindFunction(*call.function);
  if (!function) {
    return FailAt(place, "there is no function " + QuoteString(*call.function));
  }
  std::vector<Value> args;
  args.reserve(call.args.size());
  for (const JsonNode* node : call.args) {
    Result<Value> value = ValueFromJson(*node, place);
    if (!value) {
      return value;
    }
    args.push_back(*std::move(value));
  }
  EvalResult value = ApplyCall(*function, args, Span{});
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

bool IsTypeAndId(const JsonNode& node) { return FindTypeAndId(node).has_value(); }

std::optional<CallJson> FindCall(const JsonNode& node) {
  const JsonNode* function = node.Find("fn");
  const JsonNode* arg = node.Find("arg");
  const JsonNode* args = node.Find("args");
  if (function == nullptr || function->AsString() == nullptr ||
      (arg == nullptr && (args == nullptr || args->AsArray() == nullptr))) {
    return std::nullopt;
  }
  CallJson call{.function = function->AsString(), .args = {}};
  if (arg != nullptr) {
    call.args.push_back(arg);
  } else {
    for (const JsonNode& each : *args->AsArray()) {
      call.args.push_back(&each);
    }
  }
  return call;
}

std::optional<Error> CheckNoExprEscape(const JsonNode& node, const std::string& place) {
  const JsonNode* escape = node.Find("__expr");
  if (escape == nullptr || escape->AsString() == nullptr) {
    return std::nullopt;
  }
  return Error{.code = ErrorCode::kInvalidArgument,
               .system_errno = 0,
               .message = place +
                          ": the escape \"__expr\" is no longer part of Cedar; use \"__entity\" or "
                          "\"__extn\""};
}

Result<EntityUid> UidFromJson(const JsonNode& node, const std::string& place) {
  if (std::optional<Error> error = CheckNoExprEscape(node, place)) {
    return std::unexpected(*std::move(error));
  }
  const JsonNode* escaped = node.Find("__entity");
  std::optional<TypeAndId> names = escaped == nullptr ? std::nullopt : FindTypeAndId(*escaped);
  if (!names) {
    names = FindTypeAndId(node);
  }
  return names ? MakeUid(*names, place)
               : FailAt(place, "an entity is written {\"type\": \"…\", \"id\": \"…\"}");
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
  // Unlike in a uid, a pair of strings is not a name here.
  if (const JsonNode* entity = FindEscape(node, "__entity");
      entity != nullptr && entity->AsObject() != nullptr) {
    if (const std::optional<TypeAndId> names = FindTypeAndId(*entity)) {
      Result<EntityUid> uid = MakeUid(*names, place);
      return uid ? Result<Value>(Value::Entity(*std::move(uid)))
                 : std::unexpected(std::move(uid).error());
    }
  }
  if (const JsonNode* escaped = FindEscape(node, "__extn")) {
    if (const std::optional<CallJson> call = FindCall(*escaped)) {
      return EvaluateCall(*call, place);
    }
  }
  if (FindEscape(node, "__expr") != nullptr) {
    if (std::optional<Error> error = CheckNoExprEscape(node, place)) {
      return std::unexpected(*std::move(error));
    }
  }
  Result<RecordValue> record = RecordFromJson(node, place, "attribute");
  return record ? Result<Value>(Value::Record(record->fields()))
                : std::unexpected(std::move(record).error());
}

}  // namespace palyra::policy
