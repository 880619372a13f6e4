#include "policy/entities.h"

#include <optional>
#include <utility>

#include "policy/entity_json.h"
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

Result<Entity> EntityOfFrame(EntityFrame frame) {
  Result<RecordValue> attrs = RecordFromJson(*frame.attrs, frame.place, "attribute");
  if (!attrs) {
    return std::unexpected(std::move(attrs).error());
  }
  Result<RecordValue> tags =
      frame.tags == nullptr ? RecordValue() : RecordFromJson(*frame.tags, frame.place, "tag");
  if (!tags) {
    return std::unexpected(std::move(tags).error());
  }
  return Entity{.uid = std::move(frame.uid),
                .attrs = *std::move(attrs),
                .tags = *std::move(tags),
                .ancestors = std::move(frame.parents)};
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
  Result<std::vector<Entity>> entities = EntityListFromJson(source, EntityOfFrame);
  if (!entities) {
    return std::unexpected(std::move(entities).error());
  }
  Result<EntityStore> store = Create(*std::move(entities));
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
