#include "policy/port_row.h"

#include <algorithm>
#include <compare>
#include <cstddef>
#include <map>
#include <tuple>

namespace palyra::policy {
namespace {

constexpr NetDecision kDefault = {.verdict = Verdict::kDeny, .reason = kReasonDefaultDeny};
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

// Collects, for each pair, ports with one decision, and gives spans over as many pairs at once as
// possible.
class SpanCollector {
 public:
  void Add(size_t pair, uint16_t first, uint16_t last, const NetDecision& decision) {
    if (decision == kDefault) {
      return;
    }
    FlowPairs& pairs = pairs_[{first, last, decision.verdict, decision.reason}];
    pairs = static_cast<FlowPairs>(pairs | 1U << pair);
  }

  std::vector<PortSpan> Take() {
    std::vector<PortSpan> spans;
    for (const auto& [key, pairs] : pairs_) {
      AppendRectangles(key, pairs, spans);
    }
    std::ranges::sort(spans, [](const PortSpan& a, const PortSpan& b) {
      return std::tie(a.first, a.actions, a.protocols) < std::tie(b.first, b.actions, b.protocols);
    });
    return spans;
  }

 private:
  using Key = std::tuple<uint16_t, uint16_t, Verdict, uint32_t>;
  std::map<Key, FlowPairs> pairs_;

  // A set of pairs as products: actions with the same protocols are one.
  static void AppendRectangles(const Key& key, FlowPairs pairs, std::vector<PortSpan>& spans) {
    constexpr unsigned kProtocolMask = (1U << kProtocolCount) - 1;
    std::map<uint8_t, uint8_t> actions_of;
    for (int action = 0; action < kNetActionCount; ++action) {
      const unsigned protocols = static_cast<unsigned>(pairs) >> (action * kProtocolCount);
      if ((protocols & kProtocolMask) != 0) {
        uint8_t& actions = actions_of[static_cast<uint8_t>(protocols & kProtocolMask)];
        actions = static_cast<uint8_t>(actions | 1U << action);
      }
    }
    const auto& [first, last, verdict, reason] = key;
    for (const auto& [protocols, actions] : actions_of) {
      spans.push_back({.first = first,
                       .last = last,
                       .actions = actions,
                       .protocols = protocols,
                       .verdict = verdict,
                       .reason = reason});
    }
  }
};

}  // namespace

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

AddressClass RowBuilder::Build(std::span<const Claim> claims) {
  const std::vector<Edge> edges = EdgesOf(claims);
  std::array<Run, kFlowPairCount> runs;
  Live live;
  Decisions before;
  before.fill(kDefault);
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
    const NetDecision decision = DecideOne(live, group);
    for (size_t pair = 0; pair < decisions.size(); ++pair) {
      if ((group >> pair & 1U) != 0) {
        decisions[pair] = decision;
      }
    }
  }
  return decisions;
}

// The whole rule: a forbid denies, a layer without a permit denies, a layer whose permits all ask
// asks, else it is allowed.
NetDecision RowBuilder::DecideOne(const Live& live, FlowPairs group) {
  std::vector<uint32_t> forbids;
  std::vector<uint32_t> permits;
  std::vector<bool> has_permit(layer_count_);
  std::vector<bool> has_plain_permit(layer_count_);
  for (const auto& [number, pairs] : live) {
    if ((pairs & group) == 0) {
      continue;
    }
    const PolicyFacts& policy = policies_[number];
    if (policy.is_forbid) {
      forbids.push_back(number);
      continue;
    }
    permits.push_back(number);
    has_permit[policy.layer] = true;
    has_plain_permit[policy.layer] = has_plain_permit[policy.layer] || !policy.asks;
  }
  if (!forbids.empty()) {
    return {.verdict = Verdict::kDeny, .reason = reasons_.OfPolicies(forbids)};
  }
  for (uint32_t layer = 0; layer < layer_count_; ++layer) {
    if (!has_permit[layer]) {
      return {.verdict = Verdict::kDeny, .reason = reasons_.NoPermit(layer)};
    }
  }
  if (std::ranges::find(has_plain_permit, false) != has_plain_permit.end()) {
    std::erase_if(permits, [&](uint32_t p) { return has_plain_permit[policies_[p].layer]; });
    return {.verdict = Verdict::kAsk, .reason = reasons_.OfPolicies(permits)};
  }
  return {.verdict = Verdict::kAllow, .reason = reasons_.OfPolicies(permits)};
}

}  // namespace palyra::policy
