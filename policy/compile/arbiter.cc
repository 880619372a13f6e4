#include "policy/compile/arbiter.h"

#include <algorithm>

namespace palyra::policy {

size_t ReasonTable::KeyHash::operator()(const Key& key) const noexcept {
  uint64_t hash = 0xCBF29CE484222325U;
  for (const uint32_t number : key) {
    hash = (hash ^ number) * 0x9E3779B97F4A7C15U;
    hash ^= hash >> 29U;
  }
  return hash;
}

ReasonTable::ReasonTable(std::span<const Layer> layers, std::span<const PolicyFacts> policies)
    : layers_(layers), policies_(policies) {
  Number({kNoPermitBase + static_cast<uint32_t>(Layer::kCaller)});
}

uint32_t ReasonTable::NoPermit(uint32_t layer) {
  return Number({kNoPermitBase + static_cast<uint32_t>(layers_[layer])});
}

uint32_t ReasonTable::Number(const Key& key) {
  const auto [entry, is_new] = numbers_.try_emplace(key, static_cast<uint32_t>(keys_.size()));
  if (is_new) {
    keys_.push_back(&entry->first);
    policy_count_ += key.size();
  }
  return entry->second;
}

Reason ReasonTable::ReasonOf(const Key& key) const {
  Reason reason;
  if (key[0] >= kNoPermitBase) {
    reason.layers.push_back(
        {.layer = static_cast<Layer>(key[0] - kNoPermitBase), .policy_ids = {}});
    return reason;
  }
  uint32_t layer = ~0U;
  for (const uint32_t number : key) {
    const PolicyFacts& policy = policies_[number];
    if (policy.layer != layer) {
      layer = policy.layer;
      reason.layers.push_back({.layer = layers_[layer], .policy_ids = {}});
    }
    reason.layers.back().policy_ids.push_back(policy.id);
  }
  return reason;
}

std::vector<Reason> ReasonTable::Take() const {
  std::vector<Reason> reasons;
  reasons.reserve(keys_.size());
  for (const Key* key : keys_) {
    reasons.push_back(ReasonOf(*key));
  }
  return reasons;
}

Arbiter::Arbiter(size_t layer_count, std::span<const PolicyFacts> policies, ReasonTable& reasons)
    : layer_count_(layer_count),
      policies_(policies),
      reasons_(reasons),
      seen_(policies.size(), kNever) {}

Ruling Arbiter::Decide(std::span<const uint32_t> satisfied) {
  std::vector<uint32_t> forbids;
  std::vector<uint32_t> permits;
  std::vector<Verdict> verdicts(layer_count_, Verdict::kDeny);
  for (const uint32_t number : satisfied) {
    const PolicyFacts& policy = policies_[number];
    if (policy.verdict == Verdict::kDeny) {
      forbids.push_back(number);
      seen_[number] = kForbidden;
      continue;
    }
    permits.push_back(number);
    verdicts[policy.layer] = std::max(verdicts[policy.layer], policy.verdict);
  }
  for (const uint32_t permit : permits) {
    seen_[permit] = std::max(seen_[permit], forbids.empty() ? kFree : kForbidden);
  }
  if (!forbids.empty()) {
    return {.verdict = Verdict::kDeny, .reason = reasons_.OfPolicies(forbids)};
  }
  for (uint32_t layer = 0; layer < layer_count_; ++layer) {
    if (verdicts[layer] == Verdict::kDeny) {
      return {.verdict = Verdict::kDeny, .reason = reasons_.NoPermit(layer)};
    }
  }
  const Verdict strictest = *std::ranges::min_element(verdicts);
  if (strictest != Verdict::kAllow) {
    std::erase_if(permits, [&](uint32_t p) { return verdicts[policies_[p].layer] != strictest; });
  }
  return {.verdict = strictest, .reason = reasons_.OfPolicies(permits)};
}

}  // namespace palyra::policy
