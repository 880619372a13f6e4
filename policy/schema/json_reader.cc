#include "policy/schema/json_reader.h"

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <utility>

#include "policy/json_tree.h"
#include "policy/names.h"
#include "policy/printer.h"

namespace palyra::policy {
namespace {

using Keys = std::initializer_list<std::string_view>;

// An identifier that is no reserved word; `__cedar` is one only where a name is declared.
bool IsName(std::string_view text) {
  return IsIdentifier(text) && (text == "__cedar" || !IsReserved(text));
}

bool IsPath(std::string_view text) {
  while (true) {
    const size_t colons = text.find("::");
    if (!IsName(text.substr(0, colons))) {
      return false;
    }
    if (colons == std::string_view::npos) {
      return true;
    }
    text.remove_prefix(colons + 2);
  }
}

// Reads with one error: each function returns false after it, and says nothing more.
class SchemaReader {
 public:
  explicit SchemaReader(std::string name) : place_(std::move(name)) {}

  bool ReadFile(const JsonNode& root, SchemaFragment& fragment);

  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  // A step into the document, for messages, as long as it lives.
  class Step {
   public:
    Step(SchemaReader& reader, std::string_view what, std::string_view name)
        : reader_(reader), length_(reader.place_.size()) {
      reader_.place_.append(": ").append(what);
      if (!name.empty()) {
        reader_.place_.append(" ").append(QuoteString(name));
      }
    }
    ~Step() { reader_.place_.resize(length_); }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

   private:
    SchemaReader& reader_;
    size_t length_;
  };

  bool ReadNamespace(const JsonNode& node, WrittenNamespace& scope);
  bool ReadCommonTypes(const JsonNode& node, WrittenNamespace& scope);
  bool ReadEntityType(const JsonNode& node, WrittenEntityType& entity);
  bool ReadEnum(const JsonNode& node, WrittenEntityType& entity);
  bool ReadAction(const JsonNode& node, WrittenAction& action);
  bool ReadActionRefs(const JsonNode& node, WrittenAction& action);
  bool ReadAppliesTo(const JsonNode& node, WrittenAction& action);
  bool ReadAnnotations(const JsonNode* node, std::vector<Annotation>& annotations);
  // `extra`: keys that may stand beside those of the type.
  bool ReadType(const JsonNode& node, WrittenTypePtr& type, Keys extra);
  bool ReadBuiltIn(const JsonNode& node, WrittenType& type, Keys extra);
  bool ReadAttributes(const JsonNode& node, WrittenType& type);
  bool ReadName(const JsonNode& node, WrittenType& type);
  bool ReadNames(const JsonNode* node, std::string_view key, std::vector<WrittenName>& names);

  bool ExpectObject(const JsonNode& node, Keys keys, Keys extra = {});
  bool ExpectDeclared(const JsonNode& member);
  // The string under `key`; null and an error where it is missing or something else.
  const std::string* ExpectString(const JsonNode& node, std::string_view key);
  bool Fail(std::string_view message);

  std::string place_;
  std::string error_;
};

bool SchemaReader::Fail(std::string_view message) {
  error_ = place_ + ": " + std::string(message);
  return false;
}

bool SchemaReader::ExpectObject(const JsonNode& node, Keys keys, Keys extra) {
  if (node.AsObject() == nullptr) {
    return Fail("expected an object");
  }
  for (const JsonNode& member : node.AsObject()->members) {
    if (std::ranges::find(keys, member.key) == keys.end() &&
        std::ranges::find(extra, member.key) == extra.end()) {
      return Fail("the key " + QuoteString(member.key) + " means nothing here");
    }
  }
  return true;
}

bool SchemaReader::ExpectDeclared(const JsonNode& member) {
  if (!IsIdentifier(member.key) || IsReserved(member.key)) {
    return Fail("this is not a name that can be declared");
  }
  return true;
}

const std::string* SchemaReader::ExpectString(const JsonNode& node, std::string_view key) {
  const JsonNode* member = node.Find(key);
  const std::string* text = member == nullptr ? nullptr : member->AsString();
  if (text == nullptr) {
    Fail("the string " + QuoteString(key) + " is missing");
  }
  return text;
}

bool SchemaReader::ReadFile(const JsonNode& root, SchemaFragment& fragment) {
  if (root.AsObject() == nullptr) {
    return Fail("expected an object with the namespaces as its keys");
  }
  for (const JsonNode& member : root.AsObject()->members) {
    const Step step(*this, "namespace", member.key);
    if (!member.key.empty() && (!IsPath(member.key) || NamesReserved(member.key))) {
      return Fail("this is not a name that can be declared");
    }
    WrittenNamespace& scope = fragment.namespaces[member.key];
    if (!ReadNamespace(member, scope)) {
      return false;
    }
    if (member.key.empty() && !scope.annotations.empty()) {
      return Fail("the empty namespace has no annotations");
    }
  }
  return true;
}

bool SchemaReader::ReadNamespace(const JsonNode& node, WrittenNamespace& scope) {
  if (const auto keyed =
          ObjectFromArray(node, {"commonTypes", "entityTypes", "actions", "annotations"})) {
    return ReadNamespace(*keyed, scope);
  }
  if (!ExpectObject(node, {"commonTypes", "entityTypes", "actions", "annotations"})) {
    return false;
  }
  const JsonNode* entity_types = node.Find("entityTypes");
  const JsonNode* actions = node.Find("actions");
  if (entity_types == nullptr || entity_types->AsObject() == nullptr || actions == nullptr ||
      actions->AsObject() == nullptr) {
    return Fail(R"(the objects "entityTypes" and "actions" must both be there)");
  }
  const JsonNode* common_types = node.Find("commonTypes");
  if (common_types != nullptr && !ReadCommonTypes(*common_types, scope)) {
    return false;
  }
  for (const JsonNode& member : entity_types->AsObject()->members) {
    const Step step(*this, "entity type", member.key);
    if (!ExpectDeclared(member)) {
      return false;
    }
    if (member.key == "Action") {
      return Fail("`Action` is reserved and cannot be an entity type");
    }
    if (!ReadEntityType(member, scope.entity_types[member.key])) {
      return false;
    }
  }
  for (const JsonNode& member : actions->AsObject()->members) {
    const Step step(*this, "action", member.key);
    if (!ReadAction(member, scope.actions[member.key])) {
      return false;
    }
  }
  return ReadAnnotations(node.Find("annotations"), scope.annotations);
}

bool SchemaReader::ReadCommonTypes(const JsonNode& node, WrittenNamespace& scope) {
  if (node.AsObject() == nullptr) {
    return Fail("\"commonTypes\" must be an object");
  }
  for (const JsonNode& member : node.AsObject()->members) {
    const Step step(*this, "common type", member.key);
    if (!ExpectDeclared(member)) {
      return false;
    }
    if (IsReservedTypeName(member.key)) {
      return Fail("this name is reserved");
    }
    WrittenCommonType& common = scope.common_types[member.key];
    if (!ReadType(member, common.type, {"annotations"}) ||
        !ReadAnnotations(member.Find("annotations"), common.annotations)) {
      return false;
    }
  }
  return true;
}

bool SchemaReader::ReadEntityType(const JsonNode& node, WrittenEntityType& entity) {
  if (const auto keyed =
          ObjectFromArray(node, {"memberOfTypes", "shape", "tags", "enum", "annotations"})) {
    return ReadEntityType(*keyed, entity);
  }
  entity.shape = MakeRecord({}, {});
  if (node.Find("enum") != nullptr) {
    return ExpectObject(node, {"enum", "annotations"}) && ReadEnum(*node.Find("enum"), entity) &&
           ReadAnnotations(node.Find("annotations"), entity.annotations);
  }
  if (!ExpectObject(node, {"memberOfTypes", "shape", "tags", "annotations"})) {
    return false;
  }
  if (const JsonNode* parents = node.Find("memberOfTypes")) {
    if (!ReadNames(parents, "memberOfTypes", entity.member_of)) {
      return false;
    }
  }
  if (const JsonNode* shape = node.Find("shape")) {
    const Step step(*this, "\"shape\"", "");
    if (!ReadType(*shape, entity.shape, {})) {
      return false;
    }
  }
  if (const JsonNode* tags = node.Find("tags")) {
    const Step step(*this, "\"tags\"", "");
    if (!ReadType(*tags, entity.tags, {})) {
      return false;
    }
  }
  return ReadAnnotations(node.Find("annotations"), entity.annotations);
}

bool SchemaReader::ReadEnum(const JsonNode& node, WrittenEntityType& entity) {
  const JsonNode::Array* ids = node.AsArray();
  if (ids == nullptr || ids->empty()) {
    return Fail("\"enum\" must be an array of at least one string");
  }
  for (const JsonNode& id : *ids) {
    if (id.AsString() == nullptr) {
      return Fail("\"enum\" must be an array of at least one string");
    }
    entity.enum_ids.push_back(*id.AsString());
  }
  return true;
}

bool SchemaReader::ReadAction(const JsonNode& node, WrittenAction& action) {
  if (const auto keyed =
          ObjectFromArray(node, {"attributes", "appliesTo", "memberOf", "annotations"})) {
    return ReadAction(*keyed, action);
  }
  if (!ExpectObject(node, {"attributes", "appliesTo", "memberOf", "annotations"})) {
    return false;
  }
  const auto find = [&](std::string_view key) -> const JsonNode* {
    const JsonNode* member = node.Find(key);
    return member == nullptr || member->is_null() ? nullptr : member;
  };
  if (find("attributes") != nullptr) {
    return Fail("actions have no attributes");
  }
  if (const JsonNode* parents = find("memberOf")) {
    if (!ReadActionRefs(*parents, action)) {
      return false;
    }
  }
  if (const JsonNode* applies_to = find("appliesTo")) {
    const Step step(*this, "\"appliesTo\"", "");
    if (!ReadAppliesTo(*applies_to, action)) {
      return false;
    }
  }
  return ReadAnnotations(node.Find("annotations"), action.annotations);
}

bool SchemaReader::ReadActionRefs(const JsonNode& node, WrittenAction& action) {
  const Step step(*this, "\"memberOf\"", "");
  if (node.AsArray() == nullptr) {
    return Fail("expected an array");
  }
  action.member_of.emplace();
  for (const JsonNode& item : *node.AsArray()) {
    const std::optional<JsonNode> keyed = ObjectFromArray(item, {"id", "type"});
    const JsonNode& parent = keyed ? *keyed : item;
    if (!ExpectObject(parent, {"id", "type"})) {
      return false;
    }
    const std::string* id = ExpectString(parent, "id");
    if (id == nullptr) {
      return false;
    }
    WrittenActionRef ref{.type = std::nullopt, .id = *id, .span = {}};
    if (const JsonNode* type = parent.Find("type"); type != nullptr && !type->is_null()) {
      if (type->AsString() == nullptr || !IsPath(*type->AsString())) {
        return Fail("\"type\" must be the type of an action");
      }
      ref.type = *type->AsString();
    }
    action.member_of->push_back(std::move(ref));
  }
  return true;
}

bool SchemaReader::ReadAppliesTo(const JsonNode& node, WrittenAction& action) {
  if (const auto keyed = ObjectFromArray(node, {"resourceTypes", "principalTypes", "context"})) {
    return ReadAppliesTo(*keyed, action);
  }
  WrittenAppliesTo applies_to{.principals = {}, .resources = {}, .context = MakeRecord({}, {})};
  if (!ExpectObject(node, {"principalTypes", "resourceTypes", "context"}) ||
      !ReadNames(node.Find("principalTypes"), "principalTypes", applies_to.principals) ||
      !ReadNames(node.Find("resourceTypes"), "resourceTypes", applies_to.resources)) {
    return false;
  }
  if (const JsonNode* context = node.Find("context")) {
    const Step step(*this, "\"context\"", "");
    if (!ReadType(*context, applies_to.context, {})) {
      return false;
    }
  }
  action.applies_to = std::move(applies_to);
  return true;
}

bool SchemaReader::ReadAnnotations(const JsonNode* node, std::vector<Annotation>& annotations) {
  if (node == nullptr) {
    return true;
  }
  if (node->AsObject() == nullptr) {
    return Fail("\"annotations\" must be an object");
  }
  for (const JsonNode& member : node->AsObject()->members) {
    if (!IsIdentifier(member.key) || (member.AsString() == nullptr && !member.is_null())) {
      return Fail("the annotation " + QuoteString(member.key) +
                  " must be an identifier with a string or null");
    }
    annotations.push_back(
        {.key = member.key, .value = member.is_null() ? "" : *member.AsString(), .span = {}});
  }
  return true;
}

bool SchemaReader::ReadNames(const JsonNode* node, std::string_view key,
                             std::vector<WrittenName>& names) {
  if (node == nullptr || node->AsArray() == nullptr) {
    return Fail("the array " + QuoteString(key) + " is missing");
  }
  for (const JsonNode& name : *node->AsArray()) {
    if (name.AsString() == nullptr || !IsPath(*name.AsString())) {
      return Fail(QuoteString(key) + " must hold names of entity types");
    }
    names.push_back({.name = *name.AsString(), .span = {}});
  }
  return true;
}

bool SchemaReader::ReadType(const JsonNode& node, WrittenTypePtr& type, Keys extra) {
  WrittenType read;
  if (!ExpectObject(node, {"type", "element", "attributes", "additionalAttributes", "name"},
                    extra) ||
      !ReadBuiltIn(node, read, extra)) {
    return false;
  }
  type = std::make_shared<const WrittenType>(std::move(read));
  return true;
}

bool SchemaReader::ReadBuiltIn(const JsonNode& node, WrittenType& type, Keys extra) {
  using Kind = WrittenType::Kind;
  const std::string* word = ExpectString(node, "type");
  if (word == nullptr) {
    return false;
  }
  if (*word == "Set") {
    type.kind = Kind::kSet;
    const Step step(*this, "\"element\"", "");
    const JsonNode* element = node.Find("element");
    return element == nullptr ? Fail("this is missing")
                              : ExpectObject(node, {"type", "element"}, extra) &&
                                    ReadType(*element, type.element, {});
  }
  if (*word == "Record") {
    type.kind = Kind::kRecord;
    return ExpectObject(node, {"type", "attributes", "additionalAttributes"}, extra) &&
           ReadAttributes(node, type);
  }
  if (*word == "Entity" || *word == "EntityOrCommon" || *word == "Extension") {
    type.kind = *word == "Entity"      ? Kind::kEntity
                : *word == "Extension" ? Kind::kExtension
                                       : Kind::kEntityOrCommon;
    return ExpectObject(node, {"type", "name"}, extra) && ReadName(node, type);
  }
  type.kind = *word == "String"    ? Kind::kString
              : *word == "Long"    ? Kind::kLong
              : *word == "Boolean" ? Kind::kBool
                                   : Kind::kCommon;
  if (type.kind == Kind::kCommon) {
    type.name = *word;
    if (!IsPath(*word)) {
      return Fail(QuoteString(*word) + " is not a type");
    }
  }
  return ExpectObject(node, {"type"}, extra);
}

bool SchemaReader::ReadAttributes(const JsonNode& node, WrittenType& type) {
  const JsonNode* attributes = node.Find("attributes");
  if (attributes == nullptr || attributes->AsObject() == nullptr) {
    return Fail("the object \"attributes\" is missing");
  }
  for (const JsonNode& member : attributes->AsObject()->members) {
    const Step step(*this, "attribute", member.key);
    WrittenAttribute& attribute = type.attributes[member.key];
    if (!ReadType(member, attribute.type, {"required", "annotations"}) ||
        !ReadAnnotations(member.Find("annotations"), attribute.annotations)) {
      return false;
    }
    if (const JsonNode* required = member.Find("required")) {
      if (required->AsBool() == nullptr) {
        return Fail("\"required\" must be true or false");
      }
      attribute.required = *required->AsBool();
    }
  }
  if (const JsonNode* additional = node.Find("additionalAttributes")) {
    if (additional->AsBool() == nullptr || *additional->AsBool()) {
      return Fail("\"additionalAttributes\" can only be false; list all attributes");
    }
  }
  return true;
}

bool SchemaReader::ReadName(const JsonNode& node, WrittenType& type) {
  const std::string* name = ExpectString(node, "name");
  if (name == nullptr) {
    return false;
  }
  const bool is_extension = type.kind == WrittenType::Kind::kExtension;
  if (is_extension ? !IsIdentifier(*name) || IsReserved(*name) : !IsPath(*name)) {
    return Fail(QuoteString(*name) + " is not a type");
  }
  type.name = *name;
  return true;
}

std::unexpected<std::vector<Diagnostic>> Refuse(std::string message) {
  return std::unexpected(std::vector{Diagnostic{.severity = Severity::kError,
                                                .code = "schema-json",
                                                .message = std::move(message),
                                                .source = nullptr,
                                                .span = {},
                                                .policy_id = std::nullopt,
                                                .hint = std::nullopt}});
}

}  // namespace

std::expected<SchemaFragment, std::vector<Diagnostic>> ParseSchemaJson(const SourcePtr& source) {
  const Result<JsonNode> root = ParseJson(*source);
  if (!root) {
    return Refuse(root.error().message);
  }
  SchemaFragment fragment;
  fragment.source = source;
  SchemaReader reader(source->name());
  if (!reader.ReadFile(*root, fragment)) {
    return Refuse(reader.error());
  }
  return fragment;
}

}  // namespace palyra::policy
