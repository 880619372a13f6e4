// Types as a schema means them: names are resolved, common types are replaced by what they stand
// for. The validator's own types, those of single booleans and least upper bounds, are among them.
// Normative text: cedar-spec, Cedar/Validation/Types.lean and Subtyping.lean.

#ifndef PALYRA_POLICY_SCHEMA_TYPES_H_
#define PALYRA_POLICY_SCHEMA_TYPES_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace palyra::policy {

struct EntityTypeInfo;
struct Type;

enum class TypeKind : uint8_t {
  kNever,  // Of no value: the elements of an empty set.
  kTrue,   // Of the one value true.
  kFalse,
  kBool,
  kLong,
  kString,
  kEntity,  // One of `entities`.
  kSet,
  kRecord,
  kExtension,
};

enum class ExtensionType : uint8_t { kIpaddr, kDecimal, kDatetime, kDuration };

// "ipaddr", "decimal", "datetime", "duration".
std::string_view NameOf(ExtensionType type);
std::optional<ExtensionType> FindExtensionType(std::string_view name);

struct AttributeType {
  std::string name;
  const Type* type;
  bool required;
};

// Parts that belong to other kinds are empty. Types are compared by structure, with SameType.
struct Type {
  explicit Type(TypeKind type_kind) : kind(type_kind) {}

  TypeKind kind;
  ExtensionType extension = ExtensionType::kIpaddr;
  // Of a record that is the least upper bound of different ones: there may be more attributes.
  bool open = false;
  // Nesting, 1 for a type without parts; and how many parts there are when shared ones are counted
  // each time, which is what comparing costs.
  int height = 1;
  uint64_t size = 1;
  const Type* element = nullptr;
  std::vector<AttributeType> attributes;        // Sorted by name.
  std::vector<const EntityTypeInfo*> entities;  // Sorted by id, at least one.

  [[nodiscard]] bool is_bool() const {
    return kind == TypeKind::kBool || kind == TypeKind::kTrue || kind == TypeKind::kFalse;
  }
  // Null where a record has no such attribute, or this is no record.
  [[nodiscard]] const AttributeType* FindAttribute(std::string_view name) const;
};

inline const Type kNeverType(TypeKind::kNever);
inline const Type kTrueType(TypeKind::kTrue);
inline const Type kFalseType(TypeKind::kFalse);
inline const Type kBoolType(TypeKind::kBool);
inline const Type kLongType(TypeKind::kLong);
inline const Type kStringType(TypeKind::kString);
inline const Type kEmptyRecordType(TypeKind::kRecord);

const Type& ExtensionTypeOf(ExtensionType type);

// Owns types; they live as long as it does, also when it is moved.
class TypeArena {
 public:
  // Records may be filled in any order.
  const Type* AddRecord(std::vector<AttributeType> attributes, bool open = false);
  const Type* AddSet(const Type* element);
  const Type* AddEntity(std::vector<const EntityTypeInfo*> entities);

 private:
  std::deque<Type> types_;
};

// No type of a schema is nested deeper than kMaxNesting, or has more parts.
inline constexpr uint64_t kMaxTypeSize = uint64_t{1} << 20;

// Strict: records have the same attributes, required in both or in neither, and entities the same
// type. Permissive: a record may have more attributes than its supertype if that is open.
enum class ValidationMode : uint8_t { kStrict, kPermissive };

bool SameType(const Type& a, const Type& b);
bool IsSubtype(const Type& a, const Type& b, ValidationMode mode);

// Why two types have no least upper bound.
enum class LubFailure : uint8_t { kDifferentKinds, kEntityTypes, kRecordAttributes, kRequired };

// What `failure` means to the writer of a policy.
std::string_view HintOf(LubFailure failure);

struct LubResult {
  const Type* type = nullptr;  // Null: there is none.
  LubFailure failure = LubFailure::kDifferentKinds;
};

// New types go into `arena`.
LubResult LeastUpperBound(const Type& a, const Type& b, ValidationMode mode, TypeArena& arena);

// As a schema writes it: "Long", "Set<A::User>", "{a: Long, b?: String}"; the type of true is
// "True", of several entity types "A | B". Cut short where it becomes long.
std::string ToText(const Type& type);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_SCHEMA_TYPES_H_
