#include "policy/schema/schema.h"

#include <algorithm>

namespace palyra::policy {

bool EntityTypeInfo::CanHaveAncestor(const EntityTypeInfo& other) const {
  return std::ranges::binary_search(ancestors, other.id, {}, &EntityTypeInfo::id);
}

bool EntityTypeInfo::CanBeIn(const EntityTypeInfo& other) const {
  return this == &other || CanHaveAncestor(other);
}

bool EntityTypeInfo::AllowsId(std::string_view entity_id) const {
  return enum_ids.empty() || std::ranges::binary_search(enum_ids, entity_id);
}

const EntityTypeInfo* Schema::FindEntityType(std::string_view name) const {
  const auto found = entity_types_by_name_.find(name);
  return found == entity_types_by_name_.end() ? nullptr : found->second;
}

const ActionInfo* Schema::FindAction(const EntityUid& uid) const {
  const auto found = actions_by_uid_.find(uid);
  return found == actions_by_uid_.end() ? nullptr : found->second;
}

}  // namespace palyra::policy
