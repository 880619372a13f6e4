// Finds the policies whose scopes hold for a request without looking at the others.

#ifndef PALYRA_POLICY_SCOPE_INDEX_H_
#define PALYRA_POLICY_SCOPE_INDEX_H_

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "policy/evaluator.h"
#include "policy/policy_set.h"

namespace palyra::policy {

// A tree of three levels: what a scope says of the principal, then of the resource, then of the
// action. A request follows the branches that hold for it, so its cost is that of the ancestors it
// has and the policies it finds. Scopes never fail, hence skipping the others is exact.
//
// Borrows the policies. Immutable, and so thread-safe.
class ScopeIndex {
 public:
  explicit ScopeIndex(const std::vector<PlacedPolicy>& policies);

  // Calls `visit(i)` once for each policy i whose scope holds, in no particular order. Allocates
  // nothing.
  template <typename Visit>
  void ForEachMatch(const EntityLookup& lookup, const Visit& visit) const {
    const Request& request = lookup.request();
    const Subjects subjects = {
        Subject{.uid = request.principal, .entity = lookup.principal()},
        Subject{.uid = request.resource, .entity = lookup.resource()},
        Subject{.uid = request.action, .entity = lookup.action()},
    };
    Descend(root_, 0, subjects, visit);
  }

 private:
  static constexpr size_t kLevels = 3;

  struct Subject {
    const EntityUid& uid;
    const Entity* entity;  // Null where it does not exist.

    [[nodiscard]] bool IsIn(const EntityUid& ancestor) const;
  };
  using Subjects = std::array<Subject, kLevels>;

  struct Node;
  using NodePtr = std::unique_ptr<Node>;
  using NodesByEntity = std::unordered_map<EntityUid, NodePtr>;

  // A policy, and what the branches to it do not say of its scope.
  struct Leaf {
    size_t policy;
    const std::string* principal_type = nullptr;  // Of `is T in E`.
    const std::string* resource_type = nullptr;
    // Set where branches of several actions lead here: the first of them that holds counts.
    const std::vector<EntityUid>* actions = nullptr;

    [[nodiscard]] bool Holds(const Subjects& subjects, const EntityUid* branch) const;
  };

  struct Node {
    NodePtr any;
    NodesByEntity equal;
    NodesByEntity in;
    std::unordered_map<std::string, NodePtr> is;
    std::vector<Leaf> leaves;  // Below the last level only.
  };

  static Node& Branch(Node& node, const Scope& scope);
  void Add(size_t number, const Policy& policy);

  // `branch` is the entity whose `in` branch led to `node`, null for other branches.
  template <typename Visit>
  static void Descend(const Node& node, size_t level, const Subjects& subjects, const Visit& visit,
                      const EntityUid* branch = nullptr) {
    if (level == kLevels) {
      for (const Leaf& leaf : node.leaves) {
        if (leaf.Holds(subjects, branch)) {
          visit(leaf.policy);
        }
      }
      return;
    }
    const Subject& subject = subjects[level];
    if (node.any != nullptr) {
      Descend(*node.any, level + 1, subjects, visit);
    }
    if (!node.equal.empty()) {
      DescendTo(node.equal, subject.uid, level, subjects, visit);
    }
    if (!node.is.empty()) {
      if (const auto found = node.is.find(subject.uid.type()); found != node.is.end()) {
        Descend(*found->second, level + 1, subjects, visit);
      }
    }
    if (!node.in.empty()) {
      DescendIn(node.in, level, subjects, visit);
    }
  }

  template <typename Visit>
  static void DescendTo(const NodesByEntity& nodes, const EntityUid& uid, size_t level,
                        const Subjects& subjects, const Visit& visit) {
    if (const auto found = nodes.find(uid); found != nodes.end()) {
      Descend(*found->second, level + 1, subjects, visit, &found->first);
    }
  }

  // Looks each ancestor up, or each branch, whichever are fewer.
  template <typename Visit>
  static void DescendIn(const NodesByEntity& nodes, size_t level, const Subjects& subjects,
                        const Visit& visit) {
    const Subject& subject = subjects[level];
    if (subject.entity == nullptr) {
      DescendTo(nodes, subject.uid, level, subjects, visit);
    } else if (nodes.size() <= subject.entity->ancestors.size()) {
      for (const auto& [uid, node] : nodes) {
        if (subject.IsIn(uid)) {
          Descend(*node, level + 1, subjects, visit, &uid);
        }
      }
    } else {
      DescendTo(nodes, subject.uid, level, subjects, visit);
      for (const EntityUid& ancestor : subject.entity->ancestors) {
        if (ancestor != subject.uid) {
          DescendTo(nodes, ancestor, level, subjects, visit);
        }
      }
    }
  }

  Node root_;
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_SCOPE_INDEX_H_
