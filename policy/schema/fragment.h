// A Cedar schema as it is written, in either syntax: names are not resolved yet.
// https://docs.cedarpolicy.com/schema/human-readable-schema.html

#ifndef PALYRA_POLICY_SCHEMA_FRAGMENT_H_
#define PALYRA_POLICY_SCHEMA_FRAGMENT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/ast.h"
#include "policy/source.h"

namespace palyra::policy {

struct WrittenType;
using WrittenTypePtr = std::shared_ptr<const WrittenType>;

struct WrittenAttribute {
  WrittenTypePtr type;
  bool required = true;
  std::vector<Annotation> annotations;
};

// Cedar text writes every name as kEntityOrCommon; the JSON syntax tells apart what a name must be.
struct WrittenType {
  enum class Kind : uint8_t {
    kString,
    kLong,
    kBool,
    kSet,             // Of `element`.
    kRecord,          // With `attributes`.
    kEntity,          // `name` must be an entity type.
    kCommon,          // `name` must be a common type.
    kEntityOrCommon,  // Either; a common type goes first.
    kExtension,       // `name` is that of an extension type.
  };
  Kind kind = Kind::kRecord;
  std::string name;
  WrittenTypePtr element;
  std::map<std::string, WrittenAttribute> attributes;
  Span span;

  [[nodiscard]] bool is_empty_record() const { return kind == Kind::kRecord && attributes.empty(); }
};

WrittenTypePtr MakeNamed(WrittenType::Kind kind, std::string name, Span span);
WrittenTypePtr MakeSet(WrittenTypePtr element, Span span);
WrittenTypePtr MakeRecord(std::map<std::string, WrittenAttribute> attributes, Span span);

// A name, and where it stands.
struct WrittenName {
  std::string name;
  Span span;
};

struct WrittenCommonType {
  WrittenTypePtr type;
  std::vector<Annotation> annotations;
  Span span;  // Of the declared name, as in the two below.
};

struct WrittenEntityType {
  std::vector<WrittenName> member_of;
  WrittenTypePtr shape;               // Never null.
  WrittenTypePtr tags;                // Null: entities of this type have no tags.
  std::vector<std::string> enum_ids;  // Not empty: the only ids there are; then nothing above.
  std::vector<Annotation> annotations;
  Span span;
};

struct WrittenActionRef {
  std::optional<std::string> type;  // Nothing: Action.
  std::string id;
  Span span;
};

struct WrittenAppliesTo {
  std::vector<WrittenName> principals;
  std::vector<WrittenName> resources;
  WrittenTypePtr context;  // Never null.
};

struct WrittenAction {
  std::optional<std::vector<WrittenActionRef>> member_of;
  std::optional<WrittenAppliesTo> applies_to;
  std::vector<Annotation> annotations;
  Span span;
};

// Keys are declared names without the namespace.
struct WrittenNamespace {
  std::map<std::string, WrittenCommonType> common_types;
  std::map<std::string, WrittenEntityType> entity_types;
  std::map<std::string, WrittenAction> actions;
  std::vector<Annotation> annotations;
};

// One file. Declared names are valid, and unique by construction.
struct SchemaFragment {
  SourcePtr source;
  bool has_spans = false;                              // JSON has none: its spans are empty.
  std::map<std::string, WrittenNamespace> namespaces;  // "" is the empty namespace.
};

// Names that no common type may have: Bool, Boolean, Entity, Extension, Long, Record, Set, String.
bool IsReservedTypeName(std::string_view name);

// Whether one of the parts of `path`, which `::` joins, is `__cedar`.
bool NamesReserved(std::string_view path);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_SCHEMA_FRAGMENT_H_
