#include "policy/compile/named_resource.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "policy/compile/endpoint.h"

namespace palyra::policy {
namespace {

struct ActionFacts {
  std::string_view name;
  std::string_view resource_type;
};

constexpr std::array<ActionFacts, kNameActionCount> kActions = {{
    {"file.read", kPathType},
    {"file.write", kPathType},
    {"file.create", kPathType},
    {"file.remove", kPathType},
    {"file.rename", kPathType},
    {"file.link", kPathType},
    {"file.attributes", kPathType},
    {"process.exec", kExecutableType},
    {"process.signal", kProcessType},
    {"process.trace", kProcessType},
    {"unix.connect", kSocketType},
}};

const ActionFacts& FactsOf(NameAction action) { return kActions.at(static_cast<size_t>(action)); }

// The path itself and every directory above it: "/a/b", "/a", "/".
template <typename Visit>
void ForEachDirectory(std::string_view path, Visit visit) {
  for (std::string_view at = path; at.size() > 1;) {
    visit(at);
    const size_t slash = at.rfind('/');
    at = at.substr(0, slash == std::string_view::npos ? 0 : slash);
  }
  visit(std::string_view("/"));
}

void AddWithAncestors(const EntityUid& uid, const EntityStore& entities,
                      std::unordered_set<EntityUid>& out) {
  out.insert(uid);
  if (const Entity* entity = entities.Find(uid)) {
    out.insert(entity->ancestors.begin(), entity->ancestors.end());
  }
}

std::vector<Pattern> NamesOf(const EntityUid& uid, std::string_view resource_type) {
  if (uid.type() == resource_type) {
    return {Pattern{.pieces = {uid.id()}}};
  }
  if (uid.type() != kDirectoryType || !IsCanonicalPath(uid.id())) {
    return {};
  }
  if (uid.id() == "/") {
    return {Pattern{.pieces = {"/", ""}}};
  }
  return {Pattern{.pieces = {uid.id()}}, Pattern{.pieces = {uid.id() + '/', ""}}};
}

}  // namespace

std::string_view ActionName(NameAction action) { return FactsOf(action).name; }

EntityUid ActionUid(NameAction action) {
  return {std::string(kActionType), std::string(ActionName(action))};
}

std::string_view ResourceTypeOf(NameAction action) { return FactsOf(action).resource_type; }

bool LiesInDirectories(std::string_view resource_type) {
  return resource_type == kPathType || resource_type == kExecutableType;
}

bool IsCanonicalPath(std::string_view path) {
  if (path == "/") {
    return true;
  }
  if (!path.starts_with('/') || path.ends_with('/')) {
    return false;
  }
  for (size_t slash = 0; slash != std::string_view::npos;) {
    const size_t next = path.find('/', slash + 1);
    const std::string_view component =
        path.substr(slash + 1, (next == std::string_view::npos ? path.size() : next) - slash - 1);
    if (component.empty() || component == "." || component == "..") {
      return false;
    }
    slash = next;
  }
  return true;
}

Entity NamedEntity(const NameEvent& event, const EntityStore& entities) {
  const std::string type(ResourceTypeOf(event.action));
  std::vector<RecordValue::Field> attrs;
  Entity entity{.uid = EntityUid(type, event.name), .attrs = {}, .tags = {}, .ancestors = {}};
  if (type == kProcessType) {
    attrs.emplace_back(kSameRunAttr, Value::Bool(event.flag));
  } else {
    attrs.emplace_back(kPathAttr, Value::String(event.name));
  }
  if (type == kSocketType) {
    attrs.emplace_back(kAbstractAttr, Value::Bool(event.flag));
  }
  if (event.sha256) {
    attrs.emplace_back(kDigestAttr, Value::String(*event.sha256));
  }
  entity.attrs = RecordValue(std::move(attrs));
  if (LiesInDirectories(type)) {
    ForEachDirectory(event.name, [&](std::string_view directory) {
      AddWithAncestors(EntityUid(std::string(kDirectoryType), std::string(directory)), entities,
                       entity.ancestors);
    });
    if (const Entity* known = entities.Find(entity.uid)) {
      entity.ancestors.insert(known->ancestors.begin(), known->ancestors.end());
    }
  }
  return entity;
}

PartialEntity OpenNamed(NameAction action, const EntityStore& entities) {
  const std::string type(ResourceTypeOf(action));
  EntityShape shape;
  const auto add = [&](std::string_view name, bool required) {
    shape.attributes.push_back({.name = std::string(name), .required = required});
  };
  if (type == kProcessType) {
    add(kSameRunAttr, true);
  } else {
    add(kPathAttr, true);
  }
  if (type == kSocketType) {
    add(kAbstractAttr, true);
  }
  if (type == kExecutableType) {
    add(kDigestAttr, false);
  }
  if (LiesInDirectories(type)) {
    std::unordered_set<std::string> types = {std::string(kDirectoryType)};
    for (const auto& [uid, entity] : entities.entities()) {
      if (uid.type() == kDirectoryType || uid.type() == type) {
        for (const EntityUid& ancestor : entity.ancestors) {
          types.insert(ancestor.type());
        }
      }
    }
    shape.ancestor_types.assign(types.begin(), types.end());
    std::ranges::sort(shape.ancestor_types);
  }
  return {.uid = std::nullopt, .type = type, .shape = std::move(shape)};
}

std::vector<Pattern> NamesIn(const EntityUid& ancestor, std::string_view resource_type,
                             const EntityStore& entities) {
  std::vector<Pattern> names = NamesOf(ancestor, resource_type);
  for (const auto& [uid, entity] : entities.entities()) {
    if (entity.ancestors.contains(ancestor)) {
      std::ranges::move(NamesOf(uid, resource_type), std::back_inserter(names));
    }
  }
  return names;
}

Pattern UniverseOf(NameAction action) {
  const std::string_view type = ResourceTypeOf(action);
  if (type == kProcessType) {
    return {.pieces = {""}};
  }
  return LiesInDirectories(type) ? Pattern{.pieces = {"/", ""}} : Pattern{.pieces = {"", ""}};
}

}  // namespace palyra::policy
