#include "policy/compile/span_collector.h"

#include <algorithm>

namespace palyra::policy {

void SpanCollector::Add(size_t pair, uint16_t first, uint16_t last, const Ruling& decision) {
  if (decision == kDefaultRuling) {
    return;
  }
  FlowPairs& pairs = pairs_[{first, last, decision.verdict, decision.reason}];
  pairs = static_cast<FlowPairs>(pairs | 1U << pair);
}

std::vector<PortSpan> SpanCollector::Take() const {
  std::vector<PortSpan> spans;
  for (const auto& [key, pairs] : pairs_) {
    AppendRectangles(key, pairs, spans);
  }
  std::ranges::sort(spans, [](const PortSpan& a, const PortSpan& b) {
    return std::tie(a.first, a.actions, a.protocols) < std::tie(b.first, b.actions, b.protocols);
  });
  return spans;
}

// A set of pairs as products: actions with the same protocols are one.
void SpanCollector::AppendRectangles(const Key& key, FlowPairs pairs,
                                     std::vector<PortSpan>& spans) {
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

}  // namespace palyra::policy
