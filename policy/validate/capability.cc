#include "policy/validate/capability.h"

#include <algorithm>
#include <functional>
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

Capability::Capability(AccessPath path, const Expr* tag)
    : path_(std::make_shared<const AccessPath>(std::move(path))),
      tag_(tag),
      hash_(tag == nullptr ? 0 : 1) {
  for (const std::string_view attr : path_->attrs) {
    hash_ = hash_ * 31 + std::hash<std::string_view>{}(attr);
  }
}

bool Capability::operator==(const Capability& other) const {
  if (hash_ != other.hash_ || (tag_ == nullptr) != (other.tag_ == nullptr)) {
    return false;
  }
  return (path_ == other.path_ || *path_ == *other.path_) &&
         (tag_ == other.tag_ || SameExpr(*tag_, *other.tag_));
}

bool CapabilitySet::Contains(const Capability& capability) const {
  return std::ranges::find(items_, capability) != items_.end();
}

void CapabilitySet::Add(Capability capability) {
  if (!Contains(capability)) {
    items_.push_back(std::move(capability));
  }
}

void CapabilitySet::AddAll(const CapabilitySet& other, size_t first) {
  for (size_t i = first; i < other.items_.size(); ++i) {
    Add(other.items_[i]);
  }
}

void CapabilitySet::KeepCommon(const CapabilitySet& other) {
  std::erase_if(items_, [&](const Capability& item) { return !other.Contains(item); });
}

}  // namespace palyra::policy
