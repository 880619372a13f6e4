#include "engine/table_image.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "base/sha256.h"
#include "policy/path_states.h"

namespace palyra::engine {
namespace {

using policy::AddressClass;
using policy::NetAction;
using policy::PortSpan;
using policy::Protocol;
using policy::Verdict;

constexpr uint32_t kProfileBits = 32;
constexpr uint32_t kPortBits = 16;

// The bits of PortSpan are those of the ABI, so spans are copied and not translated.
static_assert(PALYRA_NET_CONNECT == 1 << static_cast<int>(NetAction::kConnect));
static_assert(PALYRA_NET_SEND == 1 << static_cast<int>(NetAction::kSend));
static_assert(PALYRA_NET_ACCEPT == 1 << static_cast<int>(NetAction::kAccept));
static_assert(PALYRA_NET_BIND == 1 << static_cast<int>(NetAction::kBind));
static_assert(PALYRA_NET_LISTEN == 1 << static_cast<int>(NetAction::kListen));
static_assert(PALYRA_ROW_SPANS >= policy::kNetActionCount * policy::kProtocolCount);
static_assert(PALYRA_FILE_READ == static_cast<int>(policy::NameAction::kFileRead));
static_assert(PALYRA_FILE_ATTRIBUTES == static_cast<int>(policy::NameAction::kFileAttributes));
static_assert(PALYRA_PROCESS_EXEC == static_cast<int>(policy::NameAction::kProcessExec));
static_assert(PALYRA_PROCESS_TRACE == static_cast<int>(policy::NameAction::kProcessTrace));
static_assert(PALYRA_UNIX_CONNECT == static_cast<int>(policy::NameAction::kUnixConnect));
static_assert(PALYRA_NAME_ACTIONS == policy::kNameActionCount);
static_assert(PALYRA_TCP == 1 << static_cast<int>(Protocol::kTcp));
static_assert(PALYRA_UDP == 1 << static_cast<int>(Protocol::kUdp));
static_assert(PALYRA_UDPLITE == 1 << static_cast<int>(Protocol::kUdplite));
static_assert(PALYRA_ICMP == 1 << static_cast<int>(Protocol::kIcmp));
static_assert(PALYRA_ICMPV6 == 1 << static_cast<int>(Protocol::kIcmpv6));
static_assert(PALYRA_DENY == static_cast<int>(Verdict::kDeny));
static_assert(PALYRA_ASK == static_cast<int>(Verdict::kAsk));
static_assert(PALYRA_VERIFY == static_cast<int>(Verdict::kVerify));
static_assert(PALYRA_ALLOW == static_cast<int>(Verdict::kAllow));

palyra_span SpanOf(const PortSpan& span, uint32_t first, uint32_t last) {
  return {.port_first = static_cast<uint16_t>(first),
          .port_last = static_cast<uint16_t>(last),
          .actions = span.actions,
          .protocols = span.protocols,
          .verdict = static_cast<palyra_verdict>(span.verdict),
          .padding = 0,
          .reason = span.reason};
}

// How many spans touch the fullest part when ports are cut into parts of 2^shift.
size_t FullestPart(const AddressClass& address_class, uint32_t shift) {
  std::vector<int> difference((size_t{1} << (kPortBits - shift)) + 1, 0);
  for (const PortSpan& span : address_class.spans) {
    ++difference[span.first >> shift];
    --difference[(span.last >> shift) + 1];
  }
  int depth = 0;
  int fullest = 0;
  for (const int change : difference) {
    depth += change;
    fullest = std::max(fullest, depth);
  }
  return static_cast<size_t>(fullest);
}

// The coarsest cut whose parts fit into rows. Parts of one port always do where spans are disjoint:
// there are 3 actions by 5 protocols at most.
Result<uint32_t> PortShift(const AddressClass& address_class) {
  if (address_class.spans.size() <= PALYRA_ROW_SPANS) return kPortBits;
  for (uint32_t shift = kPortBits; shift > 0; --shift) {
    if (FullestPart(address_class, shift - 1) <= PALYRA_ROW_SPANS) return shift - 1;
  }
  return Fail(ErrorCode::kInternal, "spans of an address class overlap");
}

void AddRows(const AddressClass& address_class, uint32_t index, uint32_t shift, uint32_t profile,
             Entries<palyra_row_key, palyra_row>& rows) {
  std::map<uint32_t, palyra_row> parts;
  for (const PortSpan& span : address_class.spans) {
    const uint32_t last_part = uint32_t{span.last} >> shift;
    for (uint32_t part = uint32_t{span.first} >> shift; part <= last_part; ++part) {
      const uint32_t part_first = part << shift;
      const uint32_t part_last = part_first + (1U << shift) - 1;
      palyra_row& row = parts[part];
      row.spans[row.span_count++] = SpanOf(span, std::max<uint32_t>(span.first, part_first),
                                           std::min<uint32_t>(span.last, part_last));
    }
  }
  for (const auto& [part, row] : parts) {
    rows.Add({.profile = profile, .address_class = index, .part = part}, row);
  }
}

// The value that every prefix of the class gets; its rows, where it has any, go into `rows`.
Result<palyra_address_class> AddClass(const AddressClass& address_class, uint32_t index,
                                      uint32_t profile, Entries<palyra_row_key, palyra_row>& rows) {
  palyra_address_class value = {};
  value.address_class = index;
  if (address_class.spans.size() <= PALYRA_INLINE_SPANS) {
    for (const PortSpan& span : address_class.spans) {
      value.spans[value.span_count++] = SpanOf(span, span.first, span.last);
    }
    return value;
  }
  Result<uint32_t> shift = PortShift(address_class);
  if (!shift) return std::unexpected(shift.error());
  value.in_rows = 1;
  value.port_shift = static_cast<uint8_t>(*shift);
  AddRows(address_class, index, *shift, profile, rows);
  return value;
}

// From about here on a hash table is faster than the trie.
constexpr ptrdiff_t kManyHosts = 16;

uint32_t HostsFlag(bool is_ipv6) { return is_ipv6 ? PALYRA_HAS_HOSTS6 : PALYRA_HAS_HOSTS4; }

// `entries` begin with the one for every address, which is that of a prefix of length 0 too.
template <typename Key>
void AddPrefix(const policy::AddressPrefix& prefix, const palyra_address_class& value,
               uint32_t profile, Entries<Key, palyra_address_class>& entries) {
  if (prefix.length == 0) {
    entries.values[0] = value;
    return;
  }
  Key key = {};
  key.prefix_length = kProfileBits + prefix.length;
  key.profile = profile;
  std::memcpy(key.address, prefix.bytes.data(), sizeof(key.address));
  entries.Add(key, value);
}

// `prefixes` from the trie's entries, which a RuleSet's prefixes have become in their order: those
// within another one come after it, so backwards the longest one that holds an address is first.
template <typename HostKey, typename Key>
Entries<HostKey, palyra_address_class> HostsOf(const Entries<Key, palyra_address_class>& prefixes) {
  constexpr size_t kMost = size_t{1} << PALYRA_HOST_BITS;
  Entries<HostKey, palyra_address_class> hosts;
  for (size_t i = prefixes.keys.size(); i-- > 0;) {
    for (const HostKey& host : HostKeys<HostKey>(prefixes.keys[i])) {
      const auto latest =
          hosts.keys.end() - static_cast<ptrdiff_t>(std::min(hosts.keys.size(), kMost));
      const auto is_host = [&](const HostKey& other) {
        return std::memcmp(&other, &host, sizeof(host)) == 0;
      };
      if (std::none_of(latest, hosts.keys.end(), is_host)) hosts.Add(host, prefixes.values[i]);
    }
  }
  return hosts;
}

palyra_reason ReasonOf(const policy::Reason& reason) {
  palyra_reason text = {};
  const std::string policies = policy::ReasonText(reason);
  size_t length = std::min(policies.size(), sizeof(text.policies) - 1);
  // Never half a character.
  const auto continues = [&](size_t at) {
    return at < policies.size() && (static_cast<unsigned char>(policies[at]) & 0xC0U) == 0x80U;
  };
  while (length > 0 && continues(length)) --length;
  std::memcpy(text.policies, policies.data(), length);
  return text;
}

uint32_t ClassCount(const policy::NameRules& rules) {
  return static_cast<uint32_t>(rules.leaves.size()) / rules.flag_count;
}

// What is permitted of a class is not the same for each of its flags.
bool NeedsDigest(const policy::NameRules& rules, size_t text_class) {
  if (rules.action != policy::NameAction::kProcessExec) return false;
  const std::span flags =
      std::span(rules.leaves).subspan(text_class * rules.flag_count, rules.flag_count);
  const auto permits = [](const policy::Ruling& leaf) { return leaf.verdict == Verdict::kAllow; };
  return std::ranges::any_of(flags, permits) && !std::ranges::all_of(flags, permits);
}

// A text that is no SHA-256 in lower case is the digest of no file. Flag 0 is for programs whose
// digest is not known.
void AddDigests(const policy::NameRules& rules, uint32_t profile, TableImage& image) {
  for (size_t i = 0; i < rules.digests.size(); ++i) {
    const auto digest = base::DigestOfHex(rules.digests[i]);
    if (!digest) continue;
    palyra_program_digest key = {};
    key.profile = profile;
    std::ranges::copy(*digest, key.bytes);
    image.program_digests.Add(key, static_cast<uint32_t>(i) + 1);
  }
}

// Leaves that say what no leaf says are left out.
Result<void> AddNameRules(const policy::NameRules& rules, uint32_t profile, TableImage& image) {
  Result<AutomatonImage> automaton = AutomatonImage::Pack(rules.automaton);
  if (!automaton) return std::unexpected(automaton.error());
  const auto action = static_cast<palyra_name_action>(rules.action);
  AddDigests(rules, profile, image);
  for (uint32_t i = 0; i < rules.leaves.size(); ++i) {
    const policy::Ruling& leaf = rules.leaves[i];
    const bool needs_digest = i % rules.flag_count == 0 && NeedsDigest(rules, i / rules.flag_count);
    const bool is_default =
        leaf.verdict == Verdict::kDeny && leaf.reason == policy::kReasonDefaultDeny;
    if (is_default && !needs_digest) continue;
    image.name_leaves.Add({.profile = profile,
                           .text_class = i / rules.flag_count,
                           .flag = i % rules.flag_count,
                           .action = action,
                           .padding = {}},
                          {.reason = leaf.reason,
                           .verdict = static_cast<palyra_verdict>(leaf.verdict),
                           .needs_digest = static_cast<uint8_t>(needs_digest ? 1 : 0),
                           .padding = {}});
  }
  image.name_rules.push_back(
      {.key = {.profile = profile, .action = action, .padding = {}},
       .rules = {.automaton = 0,
                 .entry_count = static_cast<uint32_t>(automaton->entry_count()),
                 .class_count = ClassCount(rules),
                 .flag_count = rules.flag_count},
       .automaton = *std::move(automaton)});
  return {};
}

Result<void> CheckSize(size_t entries, size_t most, const char* what) {
  if (entries <= most) return {};
  return Fail(ErrorCode::kExhausted, "the policy needs " + std::to_string(entries) + ' ' + what +
                                         "; the kernel tables hold " + std::to_string(most) +
                                         " for all runs together");
}

Result<void> CheckSizes(const TableImage& image) {
  struct {
    size_t entries;
    size_t most;
    const char* what;
  } const tables[] = {
      {image.addresses4.keys.size(), PALYRA_MAX_PREFIXES, "IPv4 prefixes"},
      {image.addresses6.keys.size(), PALYRA_MAX_PREFIXES, "IPv6 prefixes"},
      {image.rows.keys.size(), PALYRA_MAX_ROWS, "rows of port spans"},
      {image.reasons.keys.size(), PALYRA_MAX_REASONS, "reasons"},
      {image.name_leaves.keys.size(), PALYRA_MAX_NAME_LEAVES, "leaves of classes of names"},
      {image.program_digests.keys.size(), PALYRA_MAX_PROGRAM_DIGESTS, "digests of programs"},
  };
  for (const auto& table : tables) {
    if (Result<void> fits = CheckSize(table.entries, table.most, table.what); !fits) return fits;
  }
  return {};
}

}  // namespace

uint32_t HostsFlags(const policy::RuleSet& rules) {
  uint32_t flags = 0;
  for (const bool is_ipv6 : {false, true}) {
    const int few = (is_ipv6 ? 128 : 32) - PALYRA_HOST_BITS;
    const ptrdiff_t hosts = std::ranges::count_if(rules.prefixes, [&](const auto& prefix) {
      return prefix.is_ipv6 == is_ipv6 && prefix.length >= few;
    });
    if (hosts >= kManyHosts && hosts <= PALYRA_MAX_HOSTS) flags |= HostsFlag(is_ipv6);
  }
  return flags;
}

uint32_t JudgedFlags(const policy::RuleSet& rules) {
  const bool judges = FindRules(rules, policy::NameAction::kFileRead) != nullptr ||
                      FindRules(rules, policy::NameAction::kProcessExec) != nullptr;
  const policy::NameRules* programs = FindRules(rules, policy::NameAction::kProcessExec);
  const bool asks = programs != nullptr && policy::DependsOnDigest(*programs);
  return (judges ? PALYRA_JUDGES_FILES : 0) | (asks ? PALYRA_ASKS_DIGESTS : 0);
}

Result<TableImage> BuildTableImage(const policy::RuleSet& rules, uint32_t profile) {
  TableImage image;
  std::vector<palyra_address_class> classes;
  for (const AddressClass& address_class : rules.classes) {
    const auto index = static_cast<uint32_t>(classes.size());
    Result<palyra_address_class> value = AddClass(address_class, index, profile, image.rows);
    if (!value) return std::unexpected(value.error());
    classes.push_back(*value);
  }

  image.addresses4.Add({.prefix_length = kProfileBits, .profile = profile, .address = {}},
                       classes[0]);
  image.addresses6.Add({.prefix_length = kProfileBits, .profile = profile, .address = {}},
                       classes[0]);
  for (const policy::AddressPrefix& prefix : rules.prefixes) {
    const palyra_address_class& value = classes[prefix.address_class];
    if (prefix.is_ipv6) {
      AddPrefix(prefix, value, profile, image.addresses6);
    } else {
      AddPrefix(prefix, value, profile, image.addresses4);
    }
  }
  if ((profile & PALYRA_HAS_HOSTS4) != 0)
    image.hosts4 = HostsOf<palyra_host4_key>(image.addresses4);
  if ((profile & PALYRA_HAS_HOSTS6) != 0)
    image.hosts6 = HostsOf<palyra_host6_key>(image.addresses6);
  for (uint32_t i = 0; i < rules.reasons.size(); ++i) {
    image.reasons.Add({.profile = profile, .reason = i}, ReasonOf(rules.reasons[i]));
  }
  for (const policy::NameRules& names : rules.names) {
    if (Result<void> added = AddNameRules(names, profile, image); !added) {
      return std::unexpected(added.error());
    }
  }
  if (Result<void> fits = CheckSizes(image); !fits) return std::unexpected(fits.error());
  return image;
}

bool FitsName(const AddressClass& decides) { return decides.spans.size() <= PALYRA_ROW_SPANS; }

palyra_name BuildName(const AddressClass& decides, uint64_t expires_ns) {
  palyra_name name = {};
  name.expires_ns = expires_ns;
  if (!FitsName(decides)) return name;
  for (const PortSpan& span : decides.spans) {
    name.spans[name.span_count++] = SpanOf(span, span.first, span.last);
  }
  return name;
}

}  // namespace palyra::engine
