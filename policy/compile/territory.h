// Where one policy is satisfied, as pieces of the address space with rectangles of flows on each.

#ifndef PALYRA_POLICY_COMPILE_TERRITORY_H_
#define PALYRA_POLICY_COMPILE_TERRITORY_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "policy/compile/truth_map.h"
#include "policy/rule_set.h"

namespace palyra::policy {

// A set over pairs (action, protocol): bit action * kProtocolCount + protocol.
using FlowPairs = uint32_t;
inline constexpr int kFlowPairCount = kNetActionCount * kProtocolCount;

// The ports of each of some pairs.
struct FlowRectangle {
  uint16_t first;  // Inclusive.
  uint16_t last;   // Inclusive.
  FlowPairs pairs;
  auto operator<=>(const FlowRectangle&) const = default;
};

using Flows = std::vector<FlowRectangle>;  // Disjoint, sorted.

struct Territory {
  struct Piece {
    Point first;  // The piece reaches to the next one's first point, the last to the end.
    uint32_t flows;
    bool operator==(const Piece&) const = default;
  };
  uint32_t policy;               // As the caller numbers them.
  std::vector<Piece> pieces;     // Ascending, beginning at 0; neighbours differ.
  std::vector<Flows> flow_sets;  // flow_sets[0] is empty.
  bool operator==(const Territory&) const = default;
};

// Where `truth` is true, for the actions of a bit set over NetAction.
Territory TerritoryOf(uint32_t policy, const EndpointTruth& truth, uint8_t actions);

// An event at which `truth` fails; nothing where it never does. ICMP has port 0 only.
std::optional<NetEvent> FindError(const EndpointTruth& truth, NetAction action);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_TERRITORY_H_
