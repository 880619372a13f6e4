#include "policy/validate/capability.h"

#include <algorithm>
#include <utility>

namespace palyra::policy {

AccessPath AccessPath::Of(const Expr& expr) {
  AccessPath path{.base = &expr, .attrs = {}};
  while (const auto* access = std::get_if<GetAttr>(&path.base->node)) {
    path.attrs.emplace_back(access->attr);
    path.base = access->object.get();
  }
  std::ranges::reverse(path.attrs);
  return path;
}

bool AccessPath::operator==(const AccessPath& other) const {
  return attrs == other.attrs && (base == other.base || SameExpr(*base, *other.base));
}

bool Capability::operator==(const Capability& other) const {
  if ((tag == nullptr) != (other.tag == nullptr)) {
    return false;
  }
  return path == other.path && (tag == other.tag || SameExpr(*tag, *other.tag));
}

bool CapabilitySet::Contains(const Capability& capability) const {
  return std::ranges::find(items_, capability) != items_.end();
}

void CapabilitySet::Add(Capability capability) {
  if (!Contains(capability)) {
    items_.push_back(std::move(capability));
  }
}

void CapabilitySet::AddAll(const CapabilitySet& other) {
  for (const Capability& capability : other.items_) {
    Add(capability);
  }
}

void CapabilitySet::KeepCommon(const CapabilitySet& other) {
  std::erase_if(items_, [&](const Capability& item) { return !other.Contains(item); });
}

}  // namespace palyra::policy
