#include <utility>

#include "policy/extension.h"
#include "policy/json_value.h"
#include "policy/printer.h"
#include "policy/schema/data.h"

namespace palyra::policy {
namespace {

std::unexpected<Error> FailAt(const std::string& place, const std::string& why) {
  return Fail(ErrorCode::kInvalidArgument, place + ": " + why);
}

Result<Value> Evaluated(Function function, const std::vector<Value>& args,
                        const std::string& place) {
  EvalResult value = ApplyCall(function, args, Span{});
  return value ? Result<Value>(*std::move(value)) : FailAt(place, value.error().message);
}

Function ConstructorOf(ExtensionType type) {
  switch (type) {
    case ExtensionType::kIpaddr:
      return Function::kIp;
    case ExtensionType::kDecimal:
      return Function::kDecimal;
    case ExtensionType::kDatetime:
      return Function::kDatetime;
    case ExtensionType::kDuration:
      return Function::kDuration;
  }
  std::unreachable();
}

// Arguments are read like attributes of the parameters' types.
Result<Value> TypedArgument(const JsonNode& node, ValueKind kind, const std::string& place) {
  const std::optional<ExtensionType> extension = FindExtensionType(KindName(kind));
  return extension ? TypedValueFromJson(node, ExtensionTypeOf(*extension), place)
                   : ValueFromJson(node, place);
}

Result<Value> TypedCall(const CallJson& call, const std::string& place) {
  const std::optional<Function> function = FindFunction(*call.function);
  if (!function) {
    return FailAt(place, "there is no function " + QuoteString(*call.function));
  }
  const Signature& signature = SignatureOf(*function);
  if (call.args.size() != signature.arity()) {
    return FailAt(place, *call.function + " takes " + std::to_string(signature.arity()) +
                             " arguments, not " + std::to_string(call.args.size()));
  }
  std::vector<Value> args;
  for (size_t i = 0; i < call.args.size(); ++i) {
    Result<Value> arg =
        TypedArgument(*call.args[i], i == 0 ? signature.first : *signature.second, place);
    if (!arg) {
      return arg;
    }
    args.push_back(*std::move(arg));
  }
  return Evaluated(*function, args, place);
}

Result<Value> ExtensionFromJson(const JsonNode& node, ExtensionType type,
                                const std::string& place) {
  if (std::optional<Error> error = CheckNoExprEscape(node, place)) {
    return std::unexpected(*std::move(error));
  }
  const JsonNode* escaped = node.Find("__extn");
  std::optional<CallJson> call = escaped == nullptr ? std::nullopt : FindCall(*escaped);
  if (!call) {
    call = FindCall(node);
  }
  if (call) {
    return TypedCall(*call, place);
  }
  const Result<Value> text = ValueFromJson(node, place);
  return text ? Evaluated(ConstructorOf(type), {*text}, place) : text;
}

Result<Value> SetFromJson(const JsonNode& node, const Type& type, const std::string& place) {
  if (node.AsArray() == nullptr) {
    return FailAt(place, "expected an array, " + ToText(type));
  }
  std::vector<Value> elements;
  for (const JsonNode& element : *node.AsArray()) {
    Result<Value> value = TypedValueFromJson(
        element, *type.element, place + ": element " + std::to_string(elements.size()));
    if (!value) {
      return value;
    }
    elements.push_back(*std::move(value));
  }
  return Value::Set(std::move(elements));
}

Result<Value> RecordOfType(const JsonNode& node, const Type& type, const std::string& place) {
  if (node.AsObject() == nullptr) {
    return FailAt(place, "expected an object, " + ToText(type));
  }
  std::vector<RecordValue::Field> fields;
  for (const JsonNode& member : node.AsObject()->members) {
    const AttributeType* attribute = type.FindAttribute(member.key);
    std::string member_place = place;
    member_place.append(": attribute ").append(QuoteString(member.key));
    if (attribute == nullptr) {
      return FailAt(member_place, "the schema has no such attribute here");
    }
    Result<Value> value = TypedValueFromJson(member, *attribute->type, member_place);
    if (!value) {
      return value;
    }
    fields.emplace_back(member.key, *std::move(value));
  }
  for (const AttributeType& attribute : type.attributes) {
    if (attribute.required && node.Find(attribute.name) == nullptr) {
      return FailAt(place, "the attribute " + QuoteString(attribute.name) + " is missing");
    }
  }
  return Value::Record(std::move(fields));
}

}  // namespace

Result<Value> TypedValueFromJson(const JsonNode& node, const Type& type, const std::string& place) {
  switch (type.kind) {
    case TypeKind::kEntity: {
      Result<EntityUid> uid = UidFromJson(node, place);
      return uid ? Result<Value>(Value::Entity(*std::move(uid)))
                 : std::unexpected(std::move(uid).error());
    }
    case TypeKind::kExtension:
      return ExtensionFromJson(node, type.extension, place);
    case TypeKind::kSet:
      return SetFromJson(node, type, place);
    case TypeKind::kRecord:
      return RecordOfType(node, type, place);
    default:
      return ValueFromJson(node, place);
  }
}

}  // namespace palyra::policy
