#include "policy/compile/rule_diff.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "policy/automaton_witness.h"
#include "policy/compile/boundaries.h"
#include "policy/compile/endpoint.h"
#include "policy/compile/name_diff.h"
#include "policy/compile/truth_map.h"
#include "policy/ip.h"

namespace palyra::policy {
namespace {

constexpr size_t kMostProductStates = size_t{1} << 22;

struct AddressSpan {
  Point first;
  Point last;
  bool operator==(const AddressSpan&) const = default;
};
using AddressSpans = std::vector<AddressSpan>;  // Ascending.

// Changes of one action and protocol on some ports.
struct Flow {
  Verdict before;
  Verdict after;
  int action;
  int protocol;
  uint16_t first;
  uint16_t last;
  auto operator<=>(const Flow&) const = default;
};

Verdict VerdictOf(const AddressClass& address_class, int action, int protocol, uint16_t port) {
  for (const PortSpan& span : address_class.spans) {
    if (span.first <= port && port <= span.last && (span.actions >> action & 1U) != 0 &&
        (span.protocols >> protocol & 1U) != 0) {
      return span.verdict;
    }
  }
  return Verdict::kDeny;
}

std::vector<uint16_t> PortCuts(const AddressClass& a, const AddressClass& b) {
  std::vector<uint16_t> cuts = {0};
  for (const AddressClass* address_class : {&a, &b}) {
    for (const PortSpan& span : address_class->spans) {
      cuts.push_back(span.first);
      if (span.last != 0xFFFF) {
        cuts.push_back(static_cast<uint16_t>(span.last + 1));
      }
    }
  }
  std::ranges::sort(cuts);
  const auto repeated = std::ranges::unique(cuts);
  cuts.erase(repeated.begin(), repeated.end());
  return cuts;
}

std::vector<Flow> ChangedFlows(const AddressClass& before, const AddressClass& after) {
  std::vector<Flow> flows;
  const std::vector<uint16_t> cuts = PortCuts(before, after);
  for (int action = 0; action < kNetActionCount; ++action) {
    for (int protocol = 0; protocol < kProtocolCount; ++protocol) {
      const bool is_icmp = protocol >= static_cast<int>(Protocol::kIcmp);
      for (size_t i = 0; i < (is_icmp ? 1 : cuts.size()); ++i) {
        Flow flow{.before = VerdictOf(before, action, protocol, cuts[i]),
                  .after = VerdictOf(after, action, protocol, cuts[i]),
                  .action = action,
                  .protocol = protocol,
                  .first = cuts[i],
                  .last = i + 1 < cuts.size() ? static_cast<uint16_t>(cuts[i + 1] - 1)
                                              : static_cast<uint16_t>(0xFFFF)};
        if (is_icmp) {
          flow.last = 0;
        }
        if (flow.before == flow.after) {
          continue;
        }
        const bool goes_on = !flows.empty() && flows.back().before == flow.before &&
                             flows.back().after == flow.after && flows.back().action == action &&
                             flows.back().protocol == protocol &&
                             flows.back().last + 1 == flow.first;
        if (goes_on) {
          flows.back().last = flow.last;
        } else {
          flows.push_back(flow);
        }
      }
    }
  }
  return flows;
}

unsigned TrailingZeros(Point value) {
  unsigned count = 0;
  while (count < 128 && (value >> count & 1U) == 0) {
    ++count;
  }
  return count;
}

// As few prefixes as cover the span exactly. The points of IPv4 are no addresses of IPv6.
void AppendPrefixes(AddressSpan span, std::vector<std::string>& out) {
  const bool is_ipv4 = IsIpv4Point(span.first);
  if (is_ipv4 && span.first == kFirstIpv4Point && span.last == kLastIpv4Point) {
    out.emplace_back("0.0.0.0/0");
    return;
  }
  const Point base = is_ipv4 ? kFirstIpv4Point : 0;
  const unsigned width = is_ipv4 ? 32 : 128;
  Point first = span.first - base;
  const Point last = span.last - base;
  while (true) {
    unsigned host_bits = std::min(TrailingZeros(first), width);
    while (host_bits > 0 && (host_bits == 128 ? last != kLastAddressPoint
                                              : first + ((Point{1} << host_bits) - 1) > last)) {
      --host_bits;
    }
    const std::string address = AddressAt(base + first).ToString();
    out.push_back(host_bits == 0 ? address : address + '/' + std::to_string(width - host_bits));
    const Point covered = host_bits == 128 ? kLastAddressPoint : (Point{1} << host_bits) - 1;
    if (last - first <= covered) {
      return;
    }
    first += covered + 1;
  }
}

std::vector<std::string> PlacesOf(const AddressSpans& spans) {
  const AddressSpans everything = {{.first = 0, .last = kLastAddressPoint}};
  const AddressSpans ipv6 = {{.first = 0, .last = kFirstIpv4Point - 1},
                             {.first = kLastIpv4Point + 1, .last = kLastAddressPoint}};
  if (spans == everything) {
    return {"0.0.0.0/0", "::/0"};
  }
  if (spans == ipv6) {
    return {"::/0"};
  }
  std::vector<std::string> places;
  for (const AddressSpan& span : spans) {
    // A span that reaches into or out of the points of IPv4 is two or three.
    const std::array<AddressSpan, 3> parts = {
        {{.first = span.first, .last = std::min(span.last, kFirstIpv4Point - 1)},
         {.first = std::max(span.first, kFirstIpv4Point),
          .last = std::min(span.last, kLastIpv4Point)},
         {.first = std::max(span.first, kLastIpv4Point + 1), .last = span.last}}};
    for (const AddressSpan& part : parts) {
      if (part.first <= part.last) {
        AppendPrefixes(part, places);
      }
    }
  }
  return places;
}

std::string PortText(uint16_t first, uint16_t last) {
  if (first == 0 && last == 0xFFFF) {
    return "any port";
  }
  return first == last ? std::to_string(first) : std::to_string(first) + '-' + std::to_string(last);
}

std::map<Flow, AddressSpans> ChangedSpans(const NetTablesView& before, const NetTablesView& after) {
  std::map<std::pair<uint32_t, uint32_t>, std::vector<Flow>> flows_of;
  std::map<Flow, AddressSpans> spans_of;
  const std::vector<Point> points = Boundaries(before, after);
  for (size_t i = 0; i < points.size(); ++i) {
    const Point last = i + 1 < points.size() ? points[i + 1] - 1 : kLastAddressPoint;
    const IpAddress address = AddressAt(points[i]);
    const std::pair classes(ClassOf(before, address.is_ipv6(), address.bytes()),
                            ClassOf(after, address.is_ipv6(), address.bytes()));
    const auto [entry, is_new] = flows_of.try_emplace(classes);
    if (is_new) {
      entry->second = ChangedFlows(before.classes[classes.first], after.classes[classes.second]);
    }
    for (const Flow& flow : entry->second) {
      AddressSpans& spans = spans_of[flow];
      if (!spans.empty() && spans.back().last + 1 == points[i]) {
        spans.back().last = last;
      } else {
        spans.push_back({.first = points[i], .last = last});
      }
    }
  }
  return spans_of;
}

// A name, or none, of each class that either tells apart; nothing where there are too many.
std::optional<std::vector<std::optional<std::string>>> NamesToAsk(const RuleSet& before,
                                                                  const RuleSet& after) {
  std::vector<std::optional<std::string>> names = {std::nullopt};
  if (!before.domains && !after.domains) {
    return names;
  }
  const Automaton everything;
  const auto pairs =
      ProductClasses(before.domains ? before.domains->automaton : everything,
                     after.domains ? after.domains->automaton : everything, kMostProductStates);
  if (!pairs) {
    return std::nullopt;
  }
  for (const ClassPair& pair : *pairs) {
    names.emplace_back(pair.representative);
  }
  return names;
}

bool DecideAlike(const RuleSet& rules, const std::string& a, const std::string& b) {
  return !rules.domains ||
         rules.domains->automaton.ClassOf(a) == rules.domains->automaton.ClassOf(b);
}

// `name` is the shortest of its class: empty where no policy speaks of it, a dot and a domain where
// only the names below count.
std::string NameText(const RuleSet& before, const RuleSet& after,
                     const std::optional<std::string>& name) {
  if (!name) {
    return "no name";
  }
  if (name->empty()) {
    return "any other name";
  }
  if (name->starts_with('.')) {
    return '*' + *name;
  }
  const std::string below = "x." + *name;
  const bool holds_names_below =
      DecideAlike(before, *name, below) && DecideAlike(after, *name, below);
  return *name + (holds_names_below ? " and below" : "");
}

void AppendNetChanges(const RuleSet& before, const RuleSet& after,
                      std::vector<RuleChange>& changes) {
  struct Places {
    AddressSpans spans;
    std::vector<std::string> names;
  };
  std::map<Flow, std::vector<Places>> places_of;
  const auto names = NamesToAsk(before, after);
  const std::vector<std::optional<std::string>> nameless = {std::nullopt};
  const auto& asked = names ? *names : nameless;
  for (const std::optional<std::string>& name : asked) {
    for (auto& [flow, spans] : ChangedSpans(TablesFor(before, name), TablesFor(after, name))) {
      std::vector<Places>& places = places_of[flow];
      auto known = std::ranges::find(places, spans, &Places::spans);
      if (known == places.end()) {
        known = places.insert(places.end(), {.spans = spans, .names = {}});
      }
      known->names.push_back(NameText(before, after, name));
    }
  }
  for (auto& [flow, all_places] : places_of) {
    const auto protocol = static_cast<Protocol>(flow.protocol);
    const bool is_icmp = protocol == Protocol::kIcmp || protocol == Protocol::kIcmpv6;
    for (Places& places : all_places) {
      const bool is_for_every_name = places.names.size() == asked.size();
      changes.push_back(
          {.before = flow.before,
           .after = flow.after,
           .events = std::string(ActionName(static_cast<NetAction>(flow.action))) + ' ' +
                     std::string(ProtocolName(protocol)) +
                     (is_icmp ? "" : ' ' + PortText(flow.first, flow.last)),
           .places = PlacesOf(places.spans),
           .names = is_for_every_name ? std::vector<std::string>() : std::move(places.names),
           .more = !names});
    }
  }
}

}  // namespace

std::vector<RuleChange> DiffRules(const RuleSet& before, const RuleSet& after) {
  std::vector<RuleChange> changes;
  AppendNetChanges(before, after, changes);
  for (const NameRules& names : after.names) {
    if (const NameRules* old = FindRules(before, names.action)) {
      AppendNameChanges(*old, names, changes);
    }
  }
  return changes;
}

}  // namespace palyra::policy
