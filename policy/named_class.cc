#include "policy/named_class.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "policy/compile/boundaries.h"
#include "policy/compile/span_collector.h"
#include "policy/compile/truth_map.h"

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

constexpr int kForbidWeight = static_cast<int>(Verdict::kAllow) + 1;

// The larger one counts.
int Weight(const RuleSet& rules, const Ruling& ruling) {
  return IsForbidden(rules, ruling) ? kForbidWeight : static_cast<int>(ruling.verdict);
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

// The spans of what `ruling_at(action, protocol, port)` says, which changes at `cuts` only.
template <typename RulingOf>
std::vector<PortSpan> SpansOf(const std::vector<uint32_t>& cuts, const RulingOf& ruling_at) {
  SpanCollector spans;
  for (int action = 0; action < kNetActionCount; ++action) {
    for (int protocol = 0; protocol < kProtocolCount; ++protocol) {
      const auto pair =
          static_cast<size_t>(action) * kProtocolCount + static_cast<size_t>(protocol);
      uint32_t first = 0;
      Ruling before = ruling_at(action, protocol, 0);
      for (size_t i = 1; i < cuts.size(); ++i) {
        const bool is_end = i + 1 == cuts.size();
        const Ruling ruling = is_end ? before : ruling_at(action, protocol, cuts[i]);
        if (is_end || ruling != before) {
          spans.Add(pair, static_cast<uint16_t>(first), static_cast<uint16_t>(cuts[i] - 1), before);
          first = cuts[i];
          before = ruling;
        }
      }
    }
  }
  return spans.Take();
}

AddressClass Merge(const RuleSet& rules, std::span<const AddressClass* const> classes) {
  return {.spans = SpansOf(PortCuts(classes), [&](int action, int protocol, uint32_t port) {
            Ruling strongest = RulingAt(*classes.front(), action, protocol, port);
            for (const AddressClass* other : classes.subspan(1)) {
              const Ruling ruling = RulingAt(*other, action, protocol, port);
              if (Weight(rules, ruling) > Weight(rules, strongest)) {
                strongest = ruling;
              }
            }
            return strongest;
          })};
}

const AddressClass& ClassAt(const NetTablesView& tables, const NamedAddress& address) {
  return tables.classes[ClassOf(tables, address.is_ipv6, address.bytes)];
}

// Some address that nobody's rules single out.
NamedAddress SomePublic(bool is_ipv6) {
  NamedAddress address{.is_ipv6 = is_ipv6, .bytes = {223, 255, 251, 1}, .is_special = false};
  if (is_ipv6) {
    address.bytes = {0x2c, 0x0f, 0xfb, 0xff};
  }
  return address;
}

// The policies behind `a` are among those behind `b`.
bool IsPartOf(const Reason& a, const Reason& b) {
  return std::ranges::all_of(a.layers, [&](const Reason::LayerPolicies& part) {
    const auto same = std::ranges::find(b.layers, part.layer, &Reason::LayerPolicies::layer);
    return std::ranges::all_of(part.policy_ids, [&](const std::string& id) {
      return same != b.layers.end() &&
             std::ranges::find(same->policy_ids, id) != same->policy_ids.end();
    });
  });
}

// What of the class of a special address under a name is no more than the name.
class OfAddressItself {
 public:
  OfAddressItself(const RuleSet& rules, const NamedAddress& address, const std::string& name)
      : rules_(rules),
        named_(ClassAt(TablesFor(rules, name), address)),
        nameless_(ClassAt(TablesFor(rules, std::nullopt), address)),
        elsewhere_(ClassAt(TablesFor(rules, name), SomePublic(address.is_ipv6))) {}

  [[nodiscard]] AddressClass Class() const {
    const std::array<const AddressClass*, 3> classes = {&named_, &nameless_, &elsewhere_};
    return {.spans = SpansOf(PortCuts(classes), [&](int action, int protocol, uint32_t port) {
              return At(action, protocol, port);
            })};
  }

 private:
  const RuleSet& rules_;
  const AddressClass& named_;
  const AddressClass& nameless_;
  const AddressClass& elsewhere_;

  [[nodiscard]] Ruling At(int action, int protocol, uint32_t port) const {
    const Ruling ruling = RulingAt(named_, action, protocol, port);
    if (ruling.verdict == Verdict::kDeny ||
        RulingAt(nameless_, action, protocol, port).verdict != Verdict::kDeny) {
      return ruling;
    }
    const Ruling other = RulingAt(elsewhere_, action, protocol, port);
    return IsPartOf(rules_.reasons.at(ruling.reason), rules_.reasons.at(other.reason))
               ? kDefaultRuling
               : ruling;
  }
};

bool IsOutward(const PortSpan& span) {
  return span.verdict != Verdict::kDeny && (span.actions & kOutward) != 0;
}

// Some flow that `named` lets out and `nameless` does not.
bool OpensMore(const AddressClass& named, const AddressClass& nameless) {
  const std::array<const AddressClass*, 2> classes = {&named, &nameless};
  const std::vector<uint32_t> cuts = PortCuts(classes);
  for (const int action :
       {static_cast<int>(NetAction::kConnect), static_cast<int>(NetAction::kSend)}) {
    for (int protocol = 0; protocol < kProtocolCount; ++protocol) {
      for (size_t i = 0; i + 1 < cuts.size(); ++i) {
        if (RulingAt(named, action, protocol, cuts[i]).verdict != Verdict::kDeny &&
            RulingAt(nameless, action, protocol, cuts[i]).verdict == Verdict::kDeny) {
          return true;
        }
      }
    }
  }
  return false;
}

}  // namespace

AddressClass NamedClass(const RuleSet& rules, const NamedAddress& address,
                        std::span<const std::string> names) {
  std::vector<AddressClass> classes;
  for (const std::string& name : names) {
    AddressClass found = address.is_special ? OfAddressItself(rules, address, name).Class()
                                            : ClassAt(TablesFor(rules, name), address);
    if (std::ranges::find(classes, found) == classes.end()) {
      classes.push_back(std::move(found));
    }
  }
  std::vector<const AddressClass*> pointers;
  pointers.reserve(classes.size());
  for (const AddressClass& address_class : classes) {
    pointers.push_back(&address_class);
  }
  return classes.size() == 1 ? std::move(classes.front()) : Merge(rules, pointers);
}

bool HasWayOut(const AddressClass& address_class) {
  return std::ranges::any_of(address_class.spans, IsOutward);
}

bool MayBeAskedFor(const RuleSet& rules, const std::string& name) {
  const NetTablesView named = TablesFor(rules, name);
  const NetTablesView nameless = TablesFor(rules, std::nullopt);
  if (std::ranges::none_of(named.classes, HasWayOut)) {
    return false;
  }
  if (HasWayOut(ClassAt(nameless, SomePublic(false))) ||
      HasWayOut(ClassAt(nameless, SomePublic(true)))) {
    return true;
  }
  return std::ranges::any_of(Boundaries(named, nameless), [&](Point point) {
    const IpAddress ip = AddressAt(point);
    const NamedAddress address{.is_ipv6 = ip.is_ipv6(), .bytes = ip.bytes(), .is_special = false};
    return OpensMore(ClassAt(named, address), ClassAt(nameless, address));
  });
}

bool MayReachVerified(const RuleSet& rules, const NamedAddress& address, uint16_t port,
                      const std::string& name) {
  const AddressClass named = NamedClass(rules, address, {&name, 1});
  return RulingAt(named, static_cast<int>(NetAction::kConnect), static_cast<int>(Protocol::kTcp),
                  port)
             .verdict >= Verdict::kVerify;
}

bool VerifiesAny(const RuleSet& rules) {
  const auto verifies = [](const AddressClass& address_class) {
    return std::ranges::any_of(
        address_class.spans, [](const PortSpan& span) { return span.verdict == Verdict::kVerify; });
  };
  return std::ranges::any_of(rules.classes, verifies) ||
         (rules.domains && std::ranges::any_of(rules.domains->tables, [&](const NetTables& tables) {
            return std::ranges::any_of(tables.classes, verifies);
          }));
}

}  // namespace palyra::policy
