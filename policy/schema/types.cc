#include "policy/schema/types.h"

#include <algorithm>
#include <array>
#include <utility>

#include "policy/names.h"
#include "policy/printer.h"
#include "policy/schema/schema.h"

namespace palyra::policy {
namespace {

constexpr std::array<std::string_view, 4> kExtensionNames = {"ipaddr", "decimal", "datetime",
                                                             "duration"};

bool SameEntities(const Type& a, const Type& b) { return a.entities == b.entities; }

bool ById(const EntityTypeInfo* a, const EntityTypeInfo* b) { return a->id < b->id; }

bool IsAttributeSubtype(const AttributeType& a, const AttributeType& b, ValidationMode mode) {
  const bool required_fits =
      mode == ValidationMode::kStrict ? a.required == b.required : a.required || !b.required;
  return required_fits && IsSubtype(*a.type, *b.type, mode);
}

bool IsRecordSubtype(const Type& a, const Type& b, ValidationMode mode) {
  if (a.open && !b.open) {
    return false;
  }
  if (!b.open && a.attributes.size() != b.attributes.size()) {
    return false;
  }
  return std::ranges::all_of(b.attributes, [&](const AttributeType& wanted) {
    const AttributeType* found = a.FindAttribute(wanted.name);
    return found != nullptr && IsAttributeSubtype(*found, wanted, mode);
  });
}

// Sizes stop growing where they are too large for any schema.
void CountPart(Type& type, const Type& part) {
  type.height = std::max(type.height, part.height + 1);
  type.size = std::min(type.size + part.size, 2 * kMaxTypeSize);
}

bool SameNames(const Type& a, const Type& b) {
  return std::ranges::equal(a.attributes, b.attributes, {}, &AttributeType::name,
                            &AttributeType::name);
}

LubResult RecordLub(const Type& a, const Type& b, ValidationMode mode, TypeArena& arena) {
  const bool strict = mode == ValidationMode::kStrict;
  if (strict && !SameNames(a, b)) {
    return {.type = nullptr, .failure = LubFailure::kRecordAttributes};
  }
  std::vector<AttributeType> common;
  for (const AttributeType& left : a.attributes) {
    const AttributeType* right = b.FindAttribute(left.name);
    if (right == nullptr) {
      continue;
    }
    const LubResult type = LeastUpperBound(*left.type, *right->type, mode, arena);
    if (strict && left.required != right->required) {
      return {.type = nullptr, .failure = LubFailure::kRequired};
    }
    if (strict && type.type == nullptr) {
      return type;
    }
    if (type.type != nullptr) {
      common.push_back(
          {.name = left.name, .type = type.type, .required = left.required && right->required});
    }
  }
  const bool open = a.open || b.open || common.size() != a.attributes.size() ||
                    common.size() != b.attributes.size();
  return {.type = arena.AddRecord(std::move(common), open)};
}

LubResult EntityLub(const Type& a, const Type& b, ValidationMode mode, TypeArena& arena) {
  if (mode == ValidationMode::kStrict) {
    return {.type = nullptr, .failure = LubFailure::kEntityTypes};
  }
  std::vector<const EntityTypeInfo*> both;
  std::ranges::set_union(a.entities, b.entities, std::back_inserter(both), ById);
  return {.type = arena.AddEntity(std::move(both))};
}

constexpr size_t kLongText = 200;

void AppendText(const Type& type, std::string& out);

void AppendRecord(const Type& type, std::string& out) {
  out += '{';
  bool first = true;
  for (const AttributeType& attribute : type.attributes) {
    out += std::exchange(first, false) ? "" : ", ";
    out += IsIdentifier(attribute.name) ? attribute.name : QuoteString(attribute.name);
    out += attribute.required ? ": " : "?: ";
    AppendText(*attribute.type, out);
    if (out.size() > kLongText) {
      break;
    }
  }
  out += type.open || out.size() > kLongText ? ", …}" : "}";
}

void AppendText(const Type& type, std::string& out) {
  static constexpr std::array<std::string_view, 6> kWords = {"Never", "True", "False",
                                                             "Bool",  "Long", "String"};
  switch (type.kind) {
    case TypeKind::kExtension:
      out += NameOf(type.extension);
      return;
    case TypeKind::kSet:
      out += "Set<";
      AppendText(*type.element, out);
      out += '>';
      return;
    case TypeKind::kEntity:
      for (const EntityTypeInfo* entity : type.entities) {
        out += entity == type.entities.front() ? "" : " | ";
        out += entity->name;
      }
      return;
    case TypeKind::kRecord:
      AppendRecord(type, out);
      return;
    default:
      out += kWords.at(static_cast<size_t>(type.kind));
  }
}

}  // namespace

std::string_view NameOf(ExtensionType type) {
  return kExtensionNames.at(static_cast<size_t>(type));
}

std::optional<ExtensionType> FindExtensionType(std::string_view name) {
  const auto* found = std::ranges::find(kExtensionNames, name);
  return found == kExtensionNames.end()
             ? std::nullopt
             : std::optional(static_cast<ExtensionType>(found - kExtensionNames.begin()));
}

const AttributeType* Type::FindAttribute(std::string_view name) const {
  const auto found = std::ranges::lower_bound(attributes, name, {}, &AttributeType::name);
  return found != attributes.end() && found->name == name ? &*found : nullptr;
}

const Type& ExtensionTypeOf(ExtensionType type) {
  static const std::array<Type, 4> kTypes = [] {
    std::array<Type, 4> types{Type(TypeKind::kExtension), Type(TypeKind::kExtension),
                              Type(TypeKind::kExtension), Type(TypeKind::kExtension)};
    for (size_t i = 0; i < types.size(); ++i) {
      types.at(i).extension = static_cast<ExtensionType>(i);
    }
    return types;
  }();
  return kTypes.at(static_cast<size_t>(type));
}

const Type* TypeArena::AddRecord(std::vector<AttributeType> attributes, bool open) {
  Type& type = types_.emplace_back(TypeKind::kRecord);
  type.attributes = std::move(attributes);
  type.open = open;
  std::ranges::sort(type.attributes, {}, &AttributeType::name);
  for (const AttributeType& attribute : type.attributes) {
    CountPart(type, *attribute.type);
  }
  return &type;
}

const Type* TypeArena::AddSet(const Type* element) {
  Type& type = types_.emplace_back(TypeKind::kSet);
  type.element = element;
  CountPart(type, *element);
  return &type;
}

const Type* TypeArena::AddEntity(std::vector<const EntityTypeInfo*> entities) {
  Type& type = types_.emplace_back(TypeKind::kEntity);
  type.entities = std::move(entities);
  return &type;
}

bool SameType(const Type& a, const Type& b) {
  if (&a == &b) {
    return true;
  }
  if (a.kind != b.kind) {
    return false;
  }
  switch (a.kind) {
    case TypeKind::kEntity:
      return SameEntities(a, b);
    case TypeKind::kSet:
      return SameType(*a.element, *b.element);
    case TypeKind::kExtension:
      return a.extension == b.extension;
    case TypeKind::kRecord:
      return a.open == b.open &&
             std::ranges::equal(a.attributes, b.attributes,
                                [](const AttributeType& x, const AttributeType& y) {
                                  return x.name == y.name && x.required == y.required &&
                                         SameType(*x.type, *y.type);
                                });
    default:
      return true;
  }
}

bool IsSubtype(const Type& a, const Type& b, ValidationMode mode) {
  if (&a == &b || a.kind == TypeKind::kNever) {
    return true;
  }
  if (b.kind == TypeKind::kBool) {
    return a.is_bool();
  }
  if (a.kind != b.kind) {
    return false;
  }
  switch (a.kind) {
    case TypeKind::kEntity:
      return mode == ValidationMode::kStrict ? SameEntities(a, b)
                                             : std::ranges::includes(b.entities, a.entities, ById);
    case TypeKind::kSet:
      return IsSubtype(*a.element, *b.element, mode);
    case TypeKind::kRecord:
      return IsRecordSubtype(a, b, mode);
    case TypeKind::kExtension:
      return a.extension == b.extension;
    default:
      return true;
  }
}

std::string_view HintOf(LubFailure failure) {
  switch (failure) {
    case LubFailure::kDifferentKinds:
      return "";
    case LubFailure::kEntityTypes:
      return "entities must be of one type here; split the policy, or compare one type at a time";
    case LubFailure::kRecordAttributes:
      return "records must have the same attributes here";
    case LubFailure::kRequired:
      return "an attribute is required in one record and optional in the other";
  }
  std::unreachable();
}

LubResult LeastUpperBound(const Type& a, const Type& b, ValidationMode mode, TypeArena& arena) {
  if (IsSubtype(a, b, mode)) {
    return {.type = &b};
  }
  if (IsSubtype(b, a, mode)) {
    return {.type = &a};
  }
  if (a.is_bool() && b.is_bool()) {
    return {.type = &kBoolType};
  }
  if (a.kind != b.kind) {
    return {};
  }
  switch (a.kind) {
    case TypeKind::kSet: {
      LubResult element = LeastUpperBound(*a.element, *b.element, mode, arena);
      if (element.type != nullptr) {
        element.type = arena.AddSet(element.type);
      }
      return element;
    }
    case TypeKind::kRecord:
      return RecordLub(a, b, mode, arena);
    case TypeKind::kEntity:
      return EntityLub(a, b, mode, arena);
    default:
      return {};
  }
}

std::string ToText(const Type& type) {
  std::string text;
  AppendText(type, text);
  return text;
}

}  // namespace palyra::policy
