// The spans of one address class: who is satisfied on which flows, combined as the authorizer does.

#ifndef PALYRA_POLICY_PORT_ROW_H_
#define PALYRA_POLICY_PORT_ROW_H_

#include <array>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "policy/rule_set.h"
#include "policy/territory.h"

namespace palyra::policy {

// What combining needs to know of a policy. Policies are numbered over all layers: outermost layer
// first, then in policy order.
struct PolicyFacts {
  uint32_t layer;  // Index into the layers.
  std::string id;
  bool is_forbid;
  bool asks;
};

// A policy that is satisfied somewhere in the class.
struct Claim {
  uint32_t policy;
  const Flows* flows;
};

// Numbers reasons while rows are built. Borrows what it is given.
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

class RowBuilder {
 public:
  RowBuilder(size_t layer_count, std::span<const PolicyFacts> policies, ReasonTable& reasons)
      : layer_count_(layer_count), policies_(policies), reasons_(reasons) {}

  // In any order; a policy may stand twice with flows that do not overlap. The result keeps the
  // rules of AddressClass.
  [[nodiscard]] AddressClass Build(std::span<const Claim> claims);

 private:
  struct Run {
    uint16_t first;
    NetDecision decision;
  };
  using Decisions = std::array<NetDecision, kFlowPairCount>;
  using Live = std::set<std::pair<uint32_t, FlowPairs>>;  // Policy, and the pairs it is true for.

  size_t layer_count_;
  std::span<const PolicyFacts> policies_;
  ReasonTable& reasons_;

  [[nodiscard]] Decisions DecideAll(const Live& live);
  [[nodiscard]] NetDecision DecideOne(const Live& live, FlowPairs group);
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_PORT_ROW_H_
