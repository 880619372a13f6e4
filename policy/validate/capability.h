// What is known to be there because a `has` or hasTag before it was true.

#ifndef PALYRA_POLICY_VALIDATE_CAPABILITY_H_
#define PALYRA_POLICY_VALIDATE_CAPABILITY_H_

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "policy/ast.h"

namespace palyra::policy {

// An expression as a chain of attributes behind one that is none: `context.a.b` is {context, [a,
// b]}. Two are the same where they are written the same. Borrows the expression.
struct AccessPath {
  const Expr* base = nullptr;
  std::vector<std::string_view> attrs;

  static AccessPath Of(const Expr& expr);
  bool operator==(const AccessPath& other) const;
};

// The attribute at the end of `path` is there; or, with a tag, the tag of that entity.
class Capability {
 public:
  explicit Capability(AccessPath path, const Expr* tag = nullptr);
  bool operator==(const Capability& other) const;

 private:
  std::shared_ptr<const AccessPath> path_;  // Shared: sets are copied often.
  const Expr* tag_;
  size_t hash_;
};

// A set in the order of adding. Expressions in it outlive it.
class CapabilitySet {
 public:
  [[nodiscard]] bool Contains(const Capability& capability) const;
  [[nodiscard]] size_t size() const { return items_.size(); }
  void Add(Capability capability);
  // Those of `other` from its `first` one on.
  void AddAll(const CapabilitySet& other, size_t first = 0);
  // Keeps the first `size` that were added.
  void Truncate(size_t size) {
    items_.erase(items_.begin() + static_cast<ptrdiff_t>(size), items_.end());
  }
  void KeepCommon(const CapabilitySet& other);

 private:
  std::vector<Capability> items_;
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_VALIDATE_CAPABILITY_H_
