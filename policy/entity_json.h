// The frame of entities in JSON, whatever their attributes are read with.

#ifndef PALYRA_POLICY_ENTITY_JSON_H_
#define PALYRA_POLICY_ENTITY_JSON_H_

#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "policy/entities.h"
#include "policy/json_tree.h"
#include "policy/source.h"

namespace palyra::policy {

struct EntityFrame {
  EntityUid uid;
  const JsonNode* attrs;
  const JsonNode* tags;  // Null: none.
  std::unordered_set<EntityUid> parents;
  std::string place;  // Begins every message: `entities.json: entity 2, Palyra::Agent::"bot"`.
};

// Reads an array of {"uid", "attrs", "parents", "tags"?} and calls `make` for each of them; other
// keys are ignored. The nodes live only during that call. Stops at the first error.
Result<std::vector<Entity>> EntityListFromJson(
    const SourceFile& source, const std::function<Result<Entity>(EntityFrame)>& make);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_ENTITY_JSON_H_
