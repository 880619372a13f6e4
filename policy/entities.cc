#include "policy/entities.h"

#include <optional>
#include <utility>

#include "policy/json_tree.h"
#include "policy/json_value.h"
#include "policy/printer.h"

namespace palyra::policy {
namespace {

using EntityMap = std::unordered_map<EntityUid, Entity>;

bool IsAction(const EntityUid& uid) {
  return uid.type() == "Action" || uid.type().ends_with("::Action");
}

std::unexpected<Error> FailWith(std::string message) {
  return Fail(ErrorCode::kInvalidArgument, std::move(message));
}

// Adds to each entity the ancestors of its parents. A walk in depth-first order without recursion:
// an entity is finished after all of its parents.
class Closure {
 public:
  explicit Closure(EntityMap& entities) : entities_(entities) {}

  // The entities of a cycle, where there is one.
  std::optional<std::vector<EntityUid>> Close() {
    for (auto& [uid, entity] : entities_) {
      if (auto cycle = Visit(entity)) {
        return cycle;
      }
    }
    return std::nullopt;
  }

 private:
  enum class Progress : uint8_t { kBegun, kFinished };

  struct Frame {
    Entity* entity;
    std::vector<EntityUid> parents;
    size_t done = 0;
  };

  void Begin(Entity& entity) {
    progress_.emplace(entity.uid, Progress::kBegun);
    stack_.push_back(
        {.entity = &entity, .parents = {entity.ancestors.begin(), entity.ancestors.end()}});
  }

  std::optional<std::vector<EntityUid>> Visit(Entity& start) {
    if (progress_.contains(start.uid)) {
      return std::nullopt;
    }
    Begin(start);
    while (!stack_.empty()) {
      Frame& frame = stack_.back();
      if (frame.done == frame.parents.size()) {
        Finish();
        continue;
      }
      const auto parent = entities_.find(frame.parents[frame.done++]);
      if (parent == entities_.end()) {
        continue;
      }
      const auto progress = progress_.find(parent->first);
      if (progress == progress_.end()) {
        Begin(parent->second);
      } else if (progress->second == Progress::kBegun) {
        return CycleFrom(parent->first);
      }
    }
    return std::nullopt;
  }

  void Finish() {
    const Frame& frame = stack_.back();
    for (const EntityUid& uid : frame.parents) {
      const auto parent = entities_.find(uid);
      if (parent != entities_.end()) {
        frame.entity->ancestors.insert(parent->second.ancestors.begin(),
                                       parent->second.ancestors.end());
      }
    }
    progress_.at(frame.entity->uid) = Progress::kFinished;
    stack_.pop_back();
  }

  [[nodiscard]] std::vector<EntityUid> CycleFrom(const EntityUid& uid) const {
    std::vector<EntityUid> cycle;
    for (const Frame& frame : stack_) {
      if (!cycle.empty() || frame.entity->uid == uid) {
        cycle.push_back(frame.entity->uid);
      }
    }
    cycle.push_back(uid);
    return cycle;
  }

  EntityMap& entities_;
  std::unordered_map<EntityUid, Progress> progress_;
  std::vector<Frame> stack_;
};

Result<std::unordered_set<EntityUid>> ParentsFromJson(const JsonNode& node,
                                                      const std::string& place) {
  if (node.AsArray() == nullptr) {
    return FailWith(place + ": \"parents\" must be an array");
  }
  std::unordered_set<EntityUid> parents;
  size_t index = 0;
  for (const JsonNode& parent : *node.AsArray()) {
    Result<EntityUid> uid = UidFromJson(parent, place + ": parent " + std::to_string(index++));
    if (!uid) {
      return std::unexpected(std::move(uid).error());
    }
    parents.insert(*std::move(uid));
  }
  return parents;
}

Result<Entity> EntityFromJson(const JsonNode& node, std::string place) {
  if (node.AsObject() == nullptr) {
    return FailWith(place + ": expected an object");
  }
  const JsonNode* uid_node = node.Find("uid");
  const JsonNode* attrs_node = node.Find("attrs");
  const JsonNode* parents_node = node.Find("parents");
  const JsonNode* tags_node = node.Find("tags");
  if (uid_node == nullptr || attrs_node == nullptr || parents_node == nullptr) {
    const std::string_view missing = uid_node == nullptr     ? "uid"
                                     : attrs_node == nullptr ? "attrs"
                                                             : "parents";
    return FailWith(place + ": \"" + std::string(missing) + "\" is missing");
  }
  Result<EntityUid> uid = UidFromJson(*uid_node, place + ": \"uid\"");
  if (!uid) {
    return std::unexpected(std::move(uid).error());
  }
  place += ", " + ToCedar(*uid);
  Result<RecordValue> attrs = RecordFromJson(*attrs_node, place, "attribute");
  if (!attrs) {
    return std::unexpected(std::move(attrs).error());
  }
  Result<RecordValue> tags =
      tags_node == nullptr ? RecordValue() : RecordFromJson(*tags_node, place, "tag");
  if (!tags) {
    return std::unexpected(std::move(tags).error());
  }
  Result<std::unordered_set<EntityUid>> parents = ParentsFromJson(*parents_node, place);
  if (!parents) {
    return std::unexpected(std::move(parents).error());
  }
  return Entity{.uid = *std::move(uid),
                .attrs = *std::move(attrs),
                .tags = *std::move(tags),
                .ancestors = *std::move(parents)};
}

std::string CycleText(const std::vector<EntityUid>& cycle) {
  std::string text;
  for (const EntityUid& uid : cycle) {
    text += (text.empty() ? "" : " in ") + ToCedar(uid);
  }
  return text;
}

}  // namespace

Result<EntityStore> EntityStore::Create(std::vector<Entity> entities) {
  EntityStore store;
  for (Entity& entity : entities) {
    for (const EntityUid& parent : entity.ancestors) {
      if (IsAction(entity.uid) && !IsAction(parent)) {
        return FailWith("action " + ToCedar(entity.uid) + " cannot have the parent " +
                        ToCedar(parent) + ", which is no action");
      }
    }
    const auto [place, is_new] = store.entities_.try_emplace(entity.uid, entity);
    if (!is_new && place->second != entity) {
      return FailWith("entity " + ToCedar(entity.uid) + " stands twice, and the two differ");
    }
  }
  if (const auto cycle = Closure(store.entities_).Close()) {
    return FailWith("the parents of entities form a cycle: " + CycleText(*cycle));
  }
  return store;
}

Result<EntityStore> EntityStore::FromJson(const SourceFile& source) {
  const Result<JsonNode> root = ParseJson(source);
  if (!root) {
    return std::unexpected(root.error());
  }
  const JsonNode::Array* array = root->AsArray();
  if (array == nullptr) {
    return FailWith(source.name() + ": expected an array of entities");
  }
  std::vector<Entity> entities;
  entities.reserve(array->size());
  for (const JsonNode& node : *array) {
    Result<Entity> entity =
        EntityFromJson(node, source.name() + ": entity " + std::to_string(entities.size()));
    if (!entity) {
      return std::unexpected(std::move(entity).error());
    }
    entities.push_back(*std::move(entity));
  }
  Result<EntityStore> store = Create(std::move(entities));
  if (!store) {
    store.error().message.insert(0, source.name() + ": ");
  }
  return store;
}

const Entity* EntityStore::Find(const EntityUid& uid) const {
  const auto found = entities_.find(uid);
  return found == entities_.end() ? nullptr : &found->second;
}

Result<Value> ContextFromJson(const SourceFile& source) {
  const Result<JsonNode> root = ParseJson(source);
  if (!root) {
    return std::unexpected(root.error());
  }
  if (root->AsObject() == nullptr) {
    return FailWith(source.name() + ": the context must be an object");
  }
  Result<Value> value = ValueFromJson(*root, source.name());
  if (value && value->AsRecord() == nullptr) {
    return FailWith(source.name() + ": the context must be a record");
  }
  return value;
}

}  // namespace palyra::policy
