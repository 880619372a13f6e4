#include "policy/entity_json.h"

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "policy/json_value.h"
#include "policy/printer.h"

namespace palyra::policy {
namespace {

constexpr std::array<std::string_view, 4> kMembers = {"uid", "attrs", "parents", "tags"};

std::unexpected<Error> FailWith(std::string message) {
  return Fail(ErrorCode::kInvalidArgument, std::move(message));
}

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

Result<EntityFrame> FrameFromJson(const JsonNode& node, std::string place) {
  if (node.AsObject() == nullptr) {
    return FailWith(place + ": expected an object");
  }
  const JsonNode* uid_node = node.Find("uid");
  const JsonNode* attrs = node.Find("attrs");
  const JsonNode* parents_node = node.Find("parents");
  if (uid_node == nullptr || attrs == nullptr || parents_node == nullptr) {
    const std::string_view missing = uid_node == nullptr ? "uid"
                                     : attrs == nullptr  ? "attrs"
                                                         : "parents";
    return FailWith(place + ": \"" + std::string(missing) + "\" is missing");
  }
  Result<EntityUid> uid = UidFromJson(*uid_node, place + ": \"uid\"");
  if (!uid) {
    return std::unexpected(std::move(uid).error());
  }
  place += ", " + ToCedar(*uid);
  Result<std::unordered_set<EntityUid>> parents = ParentsFromJson(*parents_node, place);
  if (!parents) {
    return std::unexpected(std::move(parents).error());
  }
  return EntityFrame{.uid = *std::move(uid),
                     .attrs = attrs,
                     .tags = node.Find("tags"),
                     .parents = *std::move(parents),
                     .place = std::move(place)};
}

// Members that are not an entity's are not read, whatever they hold.
const JsonNode::Unfit* FindReadUnfit(const JsonNode& entity) {
  for (const std::string_view name : kMembers) {
    const JsonNode* member = entity.Find(name);
    if (const JsonNode::Unfit* unfit = member == nullptr ? nullptr : member->FindUnfit()) {
      return unfit;
    }
  }
  return nullptr;
}

}  // namespace

Result<std::vector<Entity>> EntityListFromJson(
    const SourceFile& source, const std::function<Result<Entity>(EntityFrame)>& make) {
  const Result<JsonNode> root = ParseJson(source, kMaxNesting, UnfitNumbers::kKeep);
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
    const std::optional<JsonNode> keyed =
        ObjectFromArray(node, {kMembers[0], kMembers[1], kMembers[2], kMembers[3]});
    if (const JsonNode::Unfit* unfit = FindReadUnfit(keyed ? *keyed : node)) {
      return FailWith(unfit->why);
    }
    Result<EntityFrame> frame = FrameFromJson(
        keyed ? *keyed : node, source.name() + ": entity " + std::to_string(entities.size()));
    if (!frame) {
      return std::unexpected(std::move(frame).error());
    }
    Result<Entity> entity = make(*std::move(frame));
    if (!entity) {
      return std::unexpected(std::move(entity).error());
    }
    entities.push_back(*std::move(entity));
  }
  return entities;
}

}  // namespace palyra::policy
