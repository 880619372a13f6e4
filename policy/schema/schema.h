// A schema that holds together: every name is resolved, every rule of Cedar is kept.
// https://docs.cedarpolicy.com/schema/schema.html

#ifndef PALYRA_POLICY_SCHEMA_SCHEMA_H_
#define PALYRA_POLICY_SCHEMA_SCHEMA_H_

#include <deque>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "policy/entities.h"
#include "policy/schema/fragment.h"
#include "policy/schema/types.h"
#include "policy/source.h"
#include "policy/value.h"

namespace palyra::policy {

struct EntityTypeInfo {
  std::string name;
  uint32_t id = 0;  // Dense, unique within its schema.
  // The type of actions of one namespace. It has no shape of its own and no parents; `ancestors`
  // are the types of the action groups that its actions are in.
  bool is_action = false;
  const Type* type = nullptr;         // An entity of exactly this type.
  const Type* shape = nullptr;        // A record.
  const Type* tags = nullptr;         // Of each tag; null: no tags.
  std::vector<std::string> enum_ids;  // Sorted. Not empty: there are no entities but these.
  // Types of which an ancestor may be, sorted by id; itself only where it is among its own parents.
  std::vector<const EntityTypeInfo*> ancestors;

  // Whether `in` can hold between an entity of this type and one of `other`.
  [[nodiscard]] bool CanBeIn(const EntityTypeInfo& other) const;
  [[nodiscard]] bool CanHaveAncestor(const EntityTypeInfo& other) const;
  // False only for an id that an enumerated type does not list.
  [[nodiscard]] bool AllowsId(std::string_view entity_id) const;
};

struct ActionInfo {
  EntityUid uid;
  const EntityTypeInfo* type;
  // Sorted by id, unique. Where either is empty no request has this action.
  std::vector<const EntityTypeInfo*> principals;
  std::vector<const EntityTypeInfo*> resources;
  const Type* context;  // A record.
  std::unordered_set<EntityUid> ancestors;

  [[nodiscard]] bool IsIn(const EntityUid& other) const {
    return uid == other || ancestors.contains(other);
  }
};

// Immutable, movable. Pointers into it stay valid when it is moved.
class Schema {
 public:
  // All fragments together, as if they stood in one file; a namespace may be continued in another
  // fragment. Refused, with at most 20 errors of one kind: names that are not declared, or declared
  // twice; a name of the empty namespace that another namespace declares too (RFC 70); common
  // types that contain themselves; action groups that contain themselves; contexts and shapes that
  // are no records. Names resolve to their own namespace, then to the empty one; there to a common
  // type before an entity type.
  static std::expected<Schema, std::vector<Diagnostic>> Resolve(
      std::span<const SchemaFragment> fragments);

  Schema(Schema&&) noexcept = default;
  Schema& operator=(Schema&&) noexcept = default;
  Schema(const Schema&) = delete;
  Schema& operator=(const Schema&) = delete;
  ~Schema() = default;

  // Null where there is none. Types of actions are found, too.
  [[nodiscard]] const EntityTypeInfo* FindEntityType(std::string_view name) const;
  [[nodiscard]] const ActionInfo* FindAction(const EntityUid& uid) const;

  [[nodiscard]] const std::deque<EntityTypeInfo>& entity_types() const { return entity_types_; }
  [[nodiscard]] const std::deque<ActionInfo>& actions() const { return actions_; }

  // The actions as entities without attributes, ancestors complete.
  [[nodiscard]] const EntityStore& action_entities() const { return action_entities_; }

 private:
  friend class SchemaResolver;
  Schema() = default;

  TypeArena types_;
  std::deque<EntityTypeInfo> entity_types_;
  std::deque<ActionInfo> actions_;
  std::unordered_map<std::string_view, const EntityTypeInfo*> entity_types_by_name_;
  std::unordered_map<EntityUid, const ActionInfo*> actions_by_uid_;
  EntityStore action_entities_;
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_SCHEMA_SCHEMA_H_
