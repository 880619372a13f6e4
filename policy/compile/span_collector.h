// From decisions for each port, action and protocol to the spans of an address class.

#ifndef PALYRA_POLICY_COMPILE_SPAN_COLLECTOR_H_
#define PALYRA_POLICY_COMPILE_SPAN_COLLECTOR_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "policy/compile/territory.h"
#include "policy/rule_set.h"

namespace palyra::policy {

// What no span says.
inline constexpr Ruling kDefaultRuling = {.verdict = Verdict::kDeny, .reason = kReasonDefaultDeny};

// Gives spans over as many pairs of action and protocol at once as possible.
class SpanCollector {
 public:
  // Ports with one decision, for one of kFlowPairCount pairs; those of a pair do not overlap.
  void Add(size_t pair, uint16_t first, uint16_t last, const Ruling& decision);

  // As AddressClass wants them.
  [[nodiscard]] std::vector<PortSpan> Take() const;

 private:
  using Key = std::tuple<uint16_t, uint16_t, Verdict, uint32_t>;
  std::map<Key, FlowPairs> pairs_;

  static void AppendRectangles(const Key& key, FlowPairs pairs, std::vector<PortSpan>& spans);
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_SPAN_COLLECTOR_H_
