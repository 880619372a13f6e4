#include "policy/compile/territory.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>

namespace palyra::policy {
namespace {

// Calls visit(protocol, first port, last port) for every run of flows at which `map` is `value`.
template <typename Visit>
void ForEachRun(const TruthMap& map, Truth value, Visit visit) {
  const std::vector<TruthMap::Piece>& pieces = map.pieces();
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].value != value) {
      continue;
    }
    const Point end = i + 1 < pieces.size() ? pieces[i + 1].first : kFlowPointCount;
    for (Point at = pieces[i].first; at < end;) {
      const Point protocol = at / kPortCount;
      const Point stop = std::min(end, (protocol + 1) * kPortCount);
      visit(static_cast<Protocol>(protocol), static_cast<uint16_t>(at % kPortCount),
            static_cast<uint16_t>((stop - 1) % kPortCount));
      at = stop;
    }
  }
}

Flows TrueFlows(const TruthMap& map, uint8_t actions) {
  Flows flows;
  ForEachRun(map, Truth::kTrue, [&](Protocol protocol, uint16_t first, uint16_t last) {
    FlowPairs pairs = 0;
    for (int action = 0; action < kNetActionCount; ++action) {
      if ((actions >> action & 1U) != 0) {
        pairs = static_cast<FlowPairs>(
            pairs | 1U << (action * kProtocolCount + static_cast<int>(protocol)));
      }
    }
    flows.push_back({.first = first, .last = last, .pairs = pairs});
  });
  std::ranges::sort(flows);
  Flows joined;
  for (const FlowRectangle& flow : flows) {
    if (!joined.empty() && joined.back().first == flow.first && joined.back().last == flow.last) {
      joined.back().pairs = static_cast<FlowPairs>(joined.back().pairs | flow.pairs);
    } else {
      joined.push_back(flow);
    }
  }
  return joined;
}

}  // namespace

Territory TerritoryOf(uint32_t policy, const EndpointTruth& truth, uint8_t actions) {
  Territory territory{.policy = policy, .pieces = {}, .flow_sets = {Flows{}}};
  std::map<Flows, uint32_t> known = {{Flows{}, 0}};
  for (const EndpointTruth::Piece& piece : truth.pieces()) {
    Flows flows = TrueFlows(piece.value.map(), actions);
    const auto [entry, is_new] =
        known.try_emplace(flows, static_cast<uint32_t>(territory.flow_sets.size()));
    if (is_new) {
      territory.flow_sets.push_back(std::move(flows));
    }
    if (territory.pieces.empty() || territory.pieces.back().flows != entry->second) {
      territory.pieces.push_back({.first = piece.first, .flows = entry->second});
    }
  }
  return territory;
}

std::optional<NetEvent> FindError(const EndpointTruth& truth, NetAction action) {
  std::optional<NetEvent> found;
  const auto look = [&](Point point, const FlowTruth& flows) {
    ForEachRun(flows.map(), Truth::kError, [&](Protocol protocol, uint16_t first, uint16_t) {
      const bool is_icmp = protocol == Protocol::kIcmp || protocol == Protocol::kIcmpv6;
      if (!found && (first == 0 || !is_icmp)) {
        const IpAddress address = AddressAt(point);
        found = NetEvent{.action = action,
                         .protocol = protocol,
                         .is_ipv6 = address.is_ipv6(),
                         .address = address.bytes(),
                         .port = first};
      }
    });
  };
  look(kFirstIpv4Point, truth.At(kFirstIpv4Point));  // People read IPv4 more easily.
  for (const EndpointTruth::Piece& piece : truth.pieces()) {
    if (found) {
      break;
    }
    look(piece.first, piece.value);
  }
  return found;
}

}  // namespace palyra::policy
