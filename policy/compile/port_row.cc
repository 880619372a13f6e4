#include "policy/compile/port_row.h"

#include <algorithm>
#include <compare>
#include <cstddef>
#include <tuple>

#include "policy/compile/span_collector.h"

namespace palyra::policy {
namespace {

constexpr FlowPairs kAllPairs = (1U << kFlowPairCount) - 1;

// A policy begins or ceases to be satisfied at a port.
struct Edge {
  uint32_t port;
  uint32_t policy;
  FlowPairs pairs;
  bool begins;
};

std::vector<Edge> EdgesOf(std::span<const Claim> claims) {
  std::vector<Edge> edges;
  for (const Claim& claim : claims) {
    for (const FlowRectangle& flow : *claim.flows) {
      edges.push_back(
          {.port = flow.first, .policy = claim.policy, .pairs = flow.pairs, .begins = true});
      edges.push_back(
          {.port = flow.last + 1U, .policy = claim.policy, .pairs = flow.pairs, .begins = false});
    }
  }
  // Ends before beginnings, so that a policy that goes on stays in.
  std::ranges::sort(edges, [](const Edge& a, const Edge& b) {
    return std::tie(a.port, a.begins) < std::tie(b.port, b.begins);
  });
  return edges;
}

}  // namespace

AddressClass RowBuilder::Build(std::span<const Claim> claims) {
  const std::vector<Edge> edges = EdgesOf(claims);
  std::array<Run, kFlowPairCount> runs;
  Live live;
  Decisions before;
  before.fill(kDefaultRuling);
  if (edges.empty() || edges[0].port != 0) {
    before = DecideAll(live);
  }
  for (size_t pair = 0; pair < runs.size(); ++pair) {
    runs[pair] = {.first = 0, .decision = before[pair]};
  }
  SpanCollector spans;
  for (size_t i = 0; i < edges.size();) {
    const uint32_t port = edges[i].port;
    for (; i < edges.size() && edges[i].port == port; ++i) {
      if (edges[i].begins) {
        live.emplace(edges[i].policy, edges[i].pairs);
      } else {
        live.erase({edges[i].policy, edges[i].pairs});
      }
    }
    if (port == kPortCount) {
      break;
    }
    const Decisions decisions = DecideAll(live);
    for (size_t pair = 0; pair < runs.size(); ++pair) {
      if (runs[pair].decision != decisions[pair]) {
        if (port > 0) {
          spans.Add(pair, runs[pair].first, static_cast<uint16_t>(port - 1), runs[pair].decision);
        }
        runs[pair] = {.first = static_cast<uint16_t>(port), .decision = decisions[pair]};
      }
    }
  }
  for (size_t pair = 0; pair < runs.size(); ++pair) {
    spans.Add(pair, runs[pair].first, 0xFFFF, runs[pair].decision);
  }
  return {.spans = spans.Take()};
}

RowBuilder::Decisions RowBuilder::DecideAll(const Live& live) {
  // Pairs that the same policies cover are decided once.
  std::vector<FlowPairs> groups = {kAllPairs};
  for (const auto& [policy, pairs] : live) {
    for (size_t i = 0, count = groups.size(); i < count; ++i) {
      const auto inside = static_cast<FlowPairs>(groups[i] & pairs);
      const auto outside = static_cast<FlowPairs>(groups[i] & ~pairs);
      if (inside != 0 && outside != 0) {
        groups[i] = inside;
        groups.push_back(outside);
      }
    }
  }
  Decisions decisions;
  for (const FlowPairs group : groups) {
    const Ruling decision = DecideOne(live, group);
    for (size_t pair = 0; pair < decisions.size(); ++pair) {
      if ((group >> pair & 1U) != 0) {
        decisions[pair] = decision;
      }
    }
  }
  return decisions;
}

Ruling RowBuilder::DecideOne(const Live& live, FlowPairs group) {
  std::vector<uint32_t> satisfied;
  for (const auto& [number, pairs] : live) {
    if ((pairs & group) != 0) {
      satisfied.push_back(number);
    }
  }
  return arbiter_.Decide(satisfied);
}

}  // namespace palyra::policy
