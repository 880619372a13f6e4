#include "policy/schema/declared_names.h"

#include <array>
#include <utility>

#include "policy/printer.h"

namespace palyra::policy {
namespace {

constexpr std::string_view kCedarPrefix = "__cedar::";

bool IsUnqualified(std::string_view name) { return name.find("::") == std::string_view::npos; }

// In the order in which they are asked.
std::array<std::string, 2> Candidates(const std::string& name, const std::string& scope) {
  return {IsUnqualified(name) ? QualifyName(scope, name) : name, name};
}

// Bool, Long, String and the extension types, by their own names without `__cedar::`.
const Type* FindBuiltIn(std::string_view name) {
  if (name == "Bool") return &kBoolType;
  if (name == "Long") return &kLongType;
  if (name == "String") return &kStringType;
  const std::optional<ExtensionType> extension = FindExtensionType(name);
  return extension ? &ExtensionTypeOf(*extension) : nullptr;
}

}  // namespace

std::string QualifyName(const std::string& scope, const std::string& name) {
  return scope.empty() ? name : scope + "::" + name;
}

Diagnostic SchemaError(const SchemaFragment& fragment, Span span, std::string_view code,
                       const std::string& message, std::optional<std::string> hint) {
  return {.severity = Severity::kError,
          .code = std::string(code),
          .message = fragment.has_spans ? message : fragment.source->name() + ": " + message,
          .source = fragment.has_spans ? fragment.source : nullptr,
          .span = span,
          .policy_id = std::nullopt,
          .hint = std::move(hint)};
}

DeclaredNames::DeclaredNames(std::span<const SchemaFragment> fragments) {
  for (const SchemaFragment& fragment : fragments) {
    for (const auto& [scope, declared] : fragment.namespaces) {
      for (const auto& [name, type] : declared.common_types) {
        common_types_.insert(QualifyName(scope, name));
      }
      for (const auto& [name, type] : declared.entity_types) {
        entity_types_.insert(QualifyName(scope, name));
      }
      for (const auto& [id, action] : declared.actions) {
        const std::string type = QualifyName(scope, "Action");
        action_types_.insert(type);
        actions_.emplace(type, id);
      }
    }
  }
}

std::optional<DeclaredNames::Meaning> DeclaredNames::Declared(const std::string& full_name,
                                                              Wanted wanted) const {
  const bool is_entity = entity_types_.contains(full_name);
  if (wanted != Wanted::kEntity) {
    if (common_types_.contains(full_name)) return Meaning{.kind = Kind::kCommon, .name = full_name};
    const bool is_prefixed = full_name.starts_with(kCedarPrefix);
    const Type* type = FindBuiltIn(is_prefixed ? full_name.substr(kCedarPrefix.size()) : full_name);
    if (type != nullptr && (is_prefixed || !is_entity)) {
      return Meaning{.kind = Kind::kBuiltIn, .name = full_name, .built_in = type};
    }
  }
  if (wanted == Wanted::kCommon) return std::nullopt;
  if (is_entity) return Meaning{.kind = Kind::kEntity, .name = full_name};
  if (action_types_.contains(full_name)) return Meaning{.kind = Kind::kAction, .name = full_name};
  return std::nullopt;
}

std::expected<DeclaredNames::Meaning, Diagnostic> DeclaredNames::Find(
    const WrittenName& name, Wanted wanted, const SchemaPlace& place) const {
  for (const std::string& candidate : Candidates(name.name, *place.scope)) {
    if (std::optional<Meaning> meaning = Declared(candidate, wanted)) return *std::move(meaning);
  }
  return std::unexpected(Undeclared(name, wanted, place));
}

Diagnostic DeclaredNames::Undeclared(const WrittenName& name, Wanted wanted,
                                     const SchemaPlace& place) {
  static constexpr std::array<std::string_view, 3> kWords = {"a common type", "an entity type",
                                                             "a common type or entity type"};
  return SchemaError(*place.fragment, name.span, "schema-unknown-type",
                     "`" + name.name + "` is not declared as " +
                         std::string(kWords.at(static_cast<size_t>(wanted))));
}

std::expected<EntityUid, Diagnostic> DeclaredNames::FindAction(const WrittenActionRef& ref,
                                                               const SchemaPlace& place) const {
  const std::string type = ref.type.value_or("Action");
  for (const std::string& candidate : Candidates(type, *place.scope)) {
    EntityUid uid(candidate, ref.id);
    if (actions_.contains(uid)) return uid;
  }
  return std::unexpected(
      SchemaError(*place.fragment, ref.span, "schema-unknown-action",
                  ToCedar(EntityUid(type, ref.id)) + " is not declared as an action"));
}

}  // namespace palyra::policy
