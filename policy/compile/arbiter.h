// Satisfied policies to a ruling: the authorizer's rule over all layers, and the reasons it gives.

#ifndef PALYRA_POLICY_COMPILE_ARBITER_H_
#define PALYRA_POLICY_COMPILE_ARBITER_H_

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "policy/rule_set.h"

namespace palyra::policy {

// What deciding needs to know of a policy. Policies are numbered over all layers: outermost layer
// first, then in policy order.
struct PolicyFacts {
  uint32_t layer;  // Index into the layers.
  std::string id;
  Verdict verdict;  // Where it is satisfied.
};

// Numbers reasons while tables are built. Borrows what it is given.
class ReasonTable {
 public:
  ReasonTable(std::span<const Layer> layers, std::span<const PolicyFacts> policies);

  // Policies in ascending order.
  uint32_t OfPolicies(const std::vector<uint32_t>& policies) { return Number(policies); }
  // No permit of this layer is satisfied.
  uint32_t NoPermit(uint32_t layer);

  [[nodiscard]] size_t size() const { return keys_.size(); }
  // The policy ids in all reasons together.
  [[nodiscard]] size_t policy_count() const { return policy_count_; }
  [[nodiscard]] std::vector<Reason> Take() const;

 private:
  // Policy numbers, or one number from kNoPermitBase on: that plus a Layer.
  using Key = std::vector<uint32_t>;
  static constexpr uint32_t kNoPermitBase = 0xFFFFFF00;
  struct KeyHash {
    size_t operator()(const Key& key) const noexcept;
  };

  std::span<const Layer> layers_;
  std::span<const PolicyFacts> policies_;
  std::unordered_map<Key, uint32_t, KeyHash> numbers_;
  std::vector<const Key*> keys_;
  size_t policy_count_ = 0;

  uint32_t Number(const Key& key);
  [[nodiscard]] Reason ReasonOf(const Key& key) const;
};

// Borrows what it is given.
class Arbiter {
 public:
  Arbiter(size_t layer_count, std::span<const PolicyFacts> policies, ReasonTable& reasons);

  // Where exactly these policies are satisfied, in ascending order: a forbid denies, a layer
  // without a permit denies, and of the others each says what its least strict permit says.
  [[nodiscard]] Ruling Decide(std::span<const uint32_t> satisfied);

  [[nodiscard]] const ReasonTable& reasons() const { return reasons_; }

  // What was seen of a policy so far: whether it was among the satisfied ones, and whether, for a
  // permit, no forbid was with it.
  [[nodiscard]] bool was_satisfied(uint32_t policy) const { return seen_[policy] != kNever; }
  [[nodiscard]] bool was_free(uint32_t permit) const { return seen_[permit] == kFree; }

 private:
  enum Seen : uint8_t { kNever, kForbidden, kFree };

  size_t layer_count_;
  std::span<const PolicyFacts> policies_;
  ReasonTable& reasons_;
  std::vector<Seen> seen_;
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_ARBITER_H_
