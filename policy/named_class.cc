#include "policy/named_class.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "policy/compile/span_collector.h"

namespace palyra::policy {
namespace {

constexpr uint8_t kOutward = 1U << static_cast<unsigned>(NetAction::kConnect) |
                             1U << static_cast<unsigned>(NetAction::kSend);

Ruling RulingAt(const AddressClass& address_class, int action, int protocol, uint32_t port) {
  for (const PortSpan& span : address_class.spans) {
    if (span.first <= port && port <= span.last && (span.actions >> action & 1U) != 0 &&
        (span.protocols >> protocol & 1U) != 0) {
      return {.verdict = span.verdict, .reason = span.reason};
    }
  }
  return kDefaultRuling;
}

bool IsForbidden(const RuleSet& rules, const Ruling& ruling) {
  return ruling.verdict == Verdict::kDeny &&
         std::ranges::any_of(rules.reasons.at(ruling.reason).layers,
                             [](const auto& layer) { return !layer.policy_ids.empty(); });
}

// The larger one counts.
int Weight(const RuleSet& rules, const Ruling& ruling) {
  return IsForbidden(rules, ruling) ? 3 : static_cast<int>(ruling.verdict);
}

// The ports from which on something may change, and the end of all ports.
std::vector<uint32_t> PortCuts(std::span<const AddressClass* const> classes) {
  std::vector<uint32_t> cuts = {0, 0x10000};
  for (const AddressClass* address_class : classes) {
    for (const PortSpan& span : address_class->spans) {
      cuts.push_back(span.first);
      cuts.push_back(span.last + 1U);
    }
  }
  std::ranges::sort(cuts);
  const auto repeated = std::ranges::unique(cuts);
  cuts.erase(repeated.begin(), repeated.end());
  return cuts;
}

class Merger {
 public:
  Merger(const RuleSet& rules, std::span<const AddressClass* const> classes)
      : rules_(rules), classes_(classes), cuts_(PortCuts(classes)) {}

  AddressClass Merge() const {
    SpanCollector spans;
    for (int action = 0; action < kNetActionCount; ++action) {
      for (int protocol = 0; protocol < kProtocolCount; ++protocol) {
        AddRuns(action, protocol, spans);
      }
    }
    return {.spans = spans.Take()};
  }

 private:
  const RuleSet& rules_;
  std::span<const AddressClass* const> classes_;
  std::vector<uint32_t> cuts_;

  [[nodiscard]] Ruling Strongest(int action, int protocol, uint32_t port) const {
    Ruling strongest = RulingAt(*classes_.front(), action, protocol, port);
    for (const AddressClass* other : classes_.subspan(1)) {
      const Ruling ruling = RulingAt(*other, action, protocol, port);
      if (Weight(rules_, ruling) > Weight(rules_, strongest)) {
        strongest = ruling;
      }
    }
    return strongest;
  }

  void AddRuns(int action, int protocol, SpanCollector& spans) const {
    const auto pair = static_cast<size_t>(action * kProtocolCount + protocol);
    uint32_t first = 0;
    Ruling before = Strongest(action, protocol, 0);
    for (size_t i = 1; i < cuts_.size(); ++i) {
      const bool is_end = i + 1 == cuts_.size();
      const Ruling ruling = is_end ? before : Strongest(action, protocol, cuts_[i]);
      if (is_end || ruling != before) {
        spans.Add(pair, static_cast<uint16_t>(first), static_cast<uint16_t>(cuts_[i] - 1), before);
        first = cuts_[i];
        before = ruling;
      }
    }
  }
};

}  // namespace

AddressClass NamedClass(const RuleSet& rules, bool is_ipv6, const std::array<uint8_t, 16>& address,
                        std::span<const std::string> names) {
  std::vector<const AddressClass*> classes;
  for (const std::string& name : names) {
    const NetTablesView tables = TablesFor(rules, name);
    const AddressClass* found = &tables.classes[ClassOf(tables, is_ipv6, address)];
    if (std::ranges::find(classes, found) == classes.end()) {
      classes.push_back(found);
    }
  }
  return classes.size() == 1 ? *classes.front() : Merger(rules, classes).Merge();
}

bool MayBeReached(const RuleSet& rules, const std::string& name) {
  return std::ranges::any_of(TablesFor(rules, name).classes, [](const AddressClass& address_class) {
    return std::ranges::any_of(address_class.spans, [](const PortSpan& span) {
      return span.verdict != Verdict::kDeny && (span.actions & kOutward) != 0;
    });
  });
}

}  // namespace palyra::policy
