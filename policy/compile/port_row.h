// The spans of one address class: who is satisfied on which flows, combined as the authorizer does.

#ifndef PALYRA_POLICY_COMPILE_PORT_ROW_H_
#define PALYRA_POLICY_COMPILE_PORT_ROW_H_

#include <array>
#include <cstdint>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "policy/compile/arbiter.h"
#include "policy/compile/territory.h"
#include "policy/rule_set.h"

namespace palyra::policy {

// A policy that is satisfied somewhere in the class.
struct Claim {
  uint32_t policy;
  const Flows* flows;
};

class RowBuilder {
 public:
  explicit RowBuilder(Arbiter& arbiter) : arbiter_(arbiter) {}

  // In any order; a policy may stand twice with flows that do not overlap. The result keeps the
  // rules of AddressClass.
  [[nodiscard]] AddressClass Build(std::span<const Claim> claims);

 private:
  struct Run {
    uint16_t first;
    Ruling decision;
  };
  using Decisions = std::array<Ruling, kFlowPairCount>;
  using Live = std::set<std::pair<uint32_t, FlowPairs>>;  // Policy, and the pairs it is true for.

  Arbiter& arbiter_;

  [[nodiscard]] Decisions DecideAll(const Live& live);
  [[nodiscard]] Ruling DecideOne(const Live& live, FlowPairs group);
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_PORT_ROW_H_
