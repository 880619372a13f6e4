// Entities, and JSON data as Cedar reads it without a schema.
// https://docs.cedarpolicy.com/auth/entities-syntax.html

#ifndef PALYRA_POLICY_ENTITIES_H_
#define PALYRA_POLICY_ENTITIES_H_

#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "policy/source.h"
#include "policy/value.h"

namespace palyra::policy {

struct Entity {
  EntityUid uid;
  RecordValue attrs;
  RecordValue tags;
  // In an EntityStore: all of them, parents of parents too, whether in the store or not.
  std::unordered_set<EntityUid> ancestors;
  bool operator==(const Entity&) const = default;
};

// Immutable; ancestors are transitively closed and free of cycles.
class EntityStore {
 public:
  EntityStore() = default;

  // `ancestors` of each entity may be direct parents only. Refused: a cycle, an entity that is its
  // own parent, an action whose parent is not an action, and two different entities of one name
  // (equal ones are one).
  static Result<EntityStore> Create(std::vector<Entity> entities);

  // An array of {"uid", "attrs", "parents", "tags"?}. Messages begin with the source's name and say
  // where: `entities.json: entity 2, Palyra::Agent::"bot": attribute "port": …`.
  static Result<EntityStore> FromJson(const SourceFile& source);

  // Null where there is none. Valid as long as the store is.
  [[nodiscard]] const Entity* Find(const EntityUid& uid) const;

  [[nodiscard]] const std::unordered_map<EntityUid, Entity>& entities() const { return entities_; }

 private:
  std::unordered_map<EntityUid, Entity> entities_;
};

// A request's context, which is a record value, from a JSON object. The rules for values are those
// of entity attributes: {"__entity": {"type", "id"}}, {"__extn": {"fn", "arg"}}, integers of 64
// bits, no null, no fraction, no duplicate key.
Result<Value> ContextFromJson(const SourceFile& source);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_ENTITIES_H_
