#include "tests/unit/engine/random_rules.h"

#include <algorithm>
#include <array>
#include <string>
#include <tuple>
#include <utility>

#include "base/sha256.h"

namespace palyra::engine {
namespace {

using policy::AddressClass;
using policy::AddressPrefix;
using policy::NetAction;
using policy::NetEvent;
using policy::PortSpan;
using policy::Protocol;
using policy::RuleSet;
using policy::Verdict;
using Bytes = std::array<uint8_t, 16>;

size_t Bits(bool is_ipv6) { return is_ipv6 ? 128 : 32; }

void FlipBit(Bytes& bytes, size_t bit) {
  bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] ^ (0x80U >> (bit % 8)));
}

void ClearFrom(Bytes& bytes, size_t length) {
  for (size_t bit = length; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] & ~(0x80U >> (bit % 8)));
  }
}

bool Overlap(const PortSpan& a, const PortSpan& b) {
  return a.first <= b.last && b.first <= a.last && (a.actions & b.actions) != 0 &&
         (a.protocols & b.protocols) != 0;
}

auto PrefixOrder(const AddressPrefix& p) { return std::tie(p.is_ipv6, p.bytes, p.length); }

// A prefix of mapped addresses matches nothing: those are IPv4 by the time they are looked up.
constexpr Bytes kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

}  // namespace

uint16_t RandomRules::Port() {
  static constexpr std::array<uint16_t, 10> kUsual = {0,   1,   22,    53,    80,
                                                      443, 444, 32767, 65534, 65535};
  if (Below(2) == 0) return kUsual.at(Below(kUsual.size()));
  return static_cast<uint16_t>(Below(65536));
}

AddressClass RandomRules::Class(uint32_t reason_count) {
  AddressClass made;
  const size_t wanted = Below(3) == 0 ? Below(61) : Below(6);
  for (size_t i = 0; i < wanted; ++i) {
    uint16_t first = Port();
    uint16_t last = Below(2) == 0 ? first : Port();
    if (first > last) std::swap(first, last);
    const PortSpan span = {.first = first,
                           .last = last,
                           .actions = static_cast<uint8_t>(1 + Below(31)),
                           .protocols = static_cast<uint8_t>(1 + Below(31)),
                           .verdict = static_cast<Verdict>(Below(4)),
                           .reason = static_cast<uint32_t>(1 + Below(reason_count - 1))};
    const auto overlaps = [&span](const PortSpan& other) { return Overlap(span, other); };
    if (std::ranges::none_of(made.spans, overlaps)) made.spans.push_back(span);
  }
  std::ranges::sort(made.spans, {}, [](const PortSpan& span) {
    return std::tie(span.first, span.actions, span.protocols);
  });
  return made;
}

AddressPrefix RandomRules::Prefix(const std::vector<AddressPrefix>& others, size_t class_count) {
  AddressPrefix prefix = {.is_ipv6 = Below(2) == 0, .length = 0, .bytes = {}, .address_class = 0};
  const size_t bits = Bits(prefix.is_ipv6);
  for (size_t i = 0; i < bits / 8; ++i) prefix.bytes[i] = static_cast<uint8_t>(Below(256));
  // Half of them inside, around or beside another one.
  if (!others.empty() && Below(2) == 0) {
    const AddressPrefix& other = others[Below(others.size())];
    prefix.is_ipv6 = other.is_ipv6;
    prefix.bytes = other.bytes;
    if (Below(2) == 0) FlipBit(prefix.bytes, Below(Bits(other.is_ipv6)));
  }
  const size_t full = Bits(prefix.is_ipv6);
  prefix.length = static_cast<uint8_t>(Below(2) == 0 ? full : Below(full + 1));
  ClearFrom(prefix.bytes, prefix.length);
  prefix.address_class = static_cast<uint32_t>(Below(class_count));
  return prefix;
}

policy::Automaton RandomRules::Automaton(uint32_t class_count) {
  policy::SparseDfa dfa;
  const size_t symbols = 1 + Below(7);
  for (size_t byte = 1; byte < dfa.symbols.size(); ++byte) {
    dfa.symbols.at(byte) = static_cast<uint8_t>(Below(symbols));
  }
  const size_t states = 1 + Below(40);
  for (size_t state = 0; state < states; ++state) {
    dfa.states.push_back({.text_class = static_cast<uint32_t>(Below(class_count)),
                          // So that each is reached.
                          .fallback = static_cast<uint32_t>((state + 1) % states),
                          .first_edge = static_cast<uint32_t>(dfa.edges.size())});
    for (size_t symbol = 1; symbol < symbols; ++symbol) {
      if (Below(2) == 0) continue;
      dfa.edges.push_back(
          {.symbol = static_cast<uint8_t>(symbol), .next = static_cast<uint32_t>(Below(states))});
    }
  }
  return policy::Automaton(dfa);
}

void RandomRules::AddDigests(policy::NameRules& rules) {
  for (size_t i = Below(4); i > 0; --i) {
    base::Sha256Digest digest;
    for (uint8_t& byte : digest) byte = static_cast<uint8_t>(Below(256));
    rules.digests.push_back(base::HexText(digest));
  }
  std::ranges::sort(rules.digests);
  rules.flag_count = static_cast<uint32_t>(rules.digests.size()) + 2;
}

// Now and then two actions have the same automaton.
std::vector<policy::NameRules> RandomRules::Names(uint32_t reason_count) {
  static constexpr std::array kVerdicts = {Verdict::kDeny, Verdict::kAsk, Verdict::kAllow};
  std::vector<policy::NameRules> names;
  for (int i = 0; i < policy::kNameActionCount; ++i) {
    if (Below(3) != 0) continue;
    const auto class_count = static_cast<uint32_t>(1 + Below(5));
    policy::NameRules rules = {.action = static_cast<policy::NameAction>(i),
                               .automaton = Automaton(class_count),
                               .digests = {},
                               .flag_count = static_cast<uint32_t>(1 + Below(2)),
                               .leaves = {}};
    if (rules.action == policy::NameAction::kProcessExec) AddDigests(rules);
    const bool is_shared = !names.empty() && Below(4) == 0;
    if (is_shared) rules.automaton = names.back().automaton;
    const size_t classes =
        is_shared ? names.back().leaves.size() / names.back().flag_count : class_count;
    while (rules.leaves.size() < classes * rules.flag_count) {
      rules.leaves.push_back({.verdict = kVerdicts.at(Below(kVerdicts.size())),
                              .reason = static_cast<uint32_t>(Below(reason_count))});
    }
    names.push_back(std::move(rules));
  }
  return names;
}

RuleSet RandomRules::Rules() {
  RuleSet rules;
  rules.reasons.push_back({.layers = {{policy::Layer::kCaller, {}}}});
  const size_t reason_count = 2 + Below(20);
  while (rules.reasons.size() < reason_count) {
    const std::string id = "policy" + std::to_string(rules.reasons.size());
    rules.reasons.push_back({.layers = {{policy::Layer::kOperator, {id}}}});
  }
  const size_t class_count = 1 + Below(12);
  while (rules.classes.size() < class_count) {
    rules.classes.push_back(Class(static_cast<uint32_t>(reason_count)));
  }
  const size_t prefix_count = Below(41);
  for (size_t i = 0; i < prefix_count; ++i) {
    rules.prefixes.push_back(Prefix(rules.prefixes, class_count));
  }
  std::ranges::sort(rules.prefixes, {}, PrefixOrder);
  const auto doubled = std::ranges::unique(rules.prefixes, {}, PrefixOrder);
  rules.prefixes.erase(doubled.begin(), doubled.end());
  std::swap(random_, random_of_names_);
  rules.names = Names(static_cast<uint32_t>(reason_count));
  std::swap(random_, random_of_names_);
  return rules;
}

NetEvent RandomRules::Event(const RuleSet& rules) {
  NetEvent event = {.action = static_cast<NetAction>(Below(policy::kNetActionCount)),
                    .protocol = static_cast<Protocol>(Below(policy::kProtocolCount)),
                    .is_ipv6 = Below(2) == 0,
                    .address = {},
                    .port = Port()};
  const size_t own_bits = Bits(event.is_ipv6);
  for (size_t i = 0; i < own_bits / 8; ++i) event.address[i] = static_cast<uint8_t>(Below(256));
  if (!rules.prefixes.empty() && Below(8) != 0) {
    const AddressPrefix& prefix = rules.prefixes[Below(rules.prefixes.size())];
    const size_t bits = Bits(prefix.is_ipv6);
    event.is_ipv6 = prefix.is_ipv6;
    // Its first or last address, then perhaps the other side of one of its edges.
    event.address = prefix.bytes;
    if (Below(2) == 0) {
      for (size_t bit = prefix.length; bit < bits; ++bit) FlipBit(event.address, bit);
    }
    if (prefix.length > 0 && Below(3) == 0) FlipBit(event.address, prefix.length - 1U);
  }
  const AddressClass& some = rules.classes[Below(rules.classes.size())];
  if (!some.spans.empty() && Below(4) != 0) {
    const PortSpan& span = some.spans[Below(some.spans.size())];
    const int edge = Below(2) == 0 ? span.first : span.last;
    event.port = static_cast<uint16_t>(edge + static_cast<int>(Below(3)) - 1);
  }
  return event;
}

NetEvent Canonical(NetEvent event) {
  if (event.is_ipv6 && std::equal(kMapped.begin(), kMapped.begin() + 12, event.address.begin())) {
    Bytes v4 = {};
    std::copy_n(event.address.begin() + 12, 4, v4.begin());
    event.is_ipv6 = false;
    event.address = v4;
  }
  // Of a local address, every address.
  if (event.address == Bytes{} && event.action != NetAction::kBind) {
    if (!event.is_ipv6) event.address[0] = 127;
    event.address[event.is_ipv6 ? 15 : 3] = 1;
  }
  return event;
}

}  // namespace palyra::engine
