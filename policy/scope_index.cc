#include "policy/scope_index.h"

#include <algorithm>
#include <utility>

namespace palyra::policy {
namespace {

template <typename Map, typename Key>
auto& Child(Map& nodes, const Key& key) {
  auto& child = nodes[key];
  if (child == nullptr) {
    child = std::make_unique<typename Map::mapped_type::element_type>();
  }
  return *child;
}

}  // namespace

ScopeIndex::ScopeIndex(const std::vector<PlacedPolicy>& policies) {
  for (size_t i = 0; i < policies.size(); ++i) {
    Add(i, policies[i].policy);
  }
}

void ScopeIndex::Add(size_t number, const Policy& policy) {
  Leaf leaf{.policy = number};
  if (policy.principal.kind == Scope::Kind::kIsIn) {
    leaf.principal_type = &policy.principal.type;
  }
  if (policy.resource.kind == Scope::Kind::kIsIn) {
    leaf.resource_type = &policy.resource.type;
  }
  Node& node = Branch(Branch(root_, policy.principal), policy.resource);
  if (policy.action.kind != Scope::Kind::kInSet) {
    Branch(node, policy.action).leaves.push_back(leaf);
    return;
  }
  leaf.actions = &policy.action.entities;
  for (auto uid = leaf.actions->begin(); uid != leaf.actions->end(); ++uid) {
    if (std::find(leaf.actions->begin(), uid, *uid) == uid) {
      Child(node.in, *uid).leaves.push_back(leaf);
    }
  }
}

ScopeIndex::Node& ScopeIndex::Branch(Node& node, const Scope& scope) {
  switch (scope.kind) {
    case Scope::Kind::kEqual:
      return Child(node.equal, scope.entities.at(0));
    case Scope::Kind::kIn:
    case Scope::Kind::kIsIn:
      return Child(node.in, scope.entities.at(0));
    case Scope::Kind::kIs:
      return Child(node.is, scope.type);
    case Scope::Kind::kAny:
    case Scope::Kind::kInSet:  // Add() makes a branch of each of its entities.
      break;
  }
  if (node.any == nullptr) {
    node.any = std::make_unique<Node>();
  }
  return *node.any;
}

bool ScopeIndex::Subject::IsIn(const EntityUid& ancestor) const {
  return uid == ancestor || (entity != nullptr && entity->ancestors.contains(ancestor));
}

bool ScopeIndex::Leaf::Holds(const Subjects& subjects, const EntityUid* branch) const {
  if ((principal_type != nullptr && subjects[0].uid.type() != *principal_type) ||
      (resource_type != nullptr && subjects[1].uid.type() != *resource_type)) {
    return false;
  }
  return actions == nullptr || actions->size() == 1 ||
         *std::ranges::find_if(
             *actions, [&](const EntityUid& uid) { return subjects[2].IsIn(uid); }) == *branch;
}

}  // namespace palyra::policy
