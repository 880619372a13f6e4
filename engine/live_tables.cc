#include "engine/live_tables.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <tuple>
#include <utility>

#include "base/sha256.h"
#include "engine/automata.h"
#include "engine/profile_keys.h"
#include "policy/compile/named_resource.h"
#include "policy/limits.h"

namespace palyra::engine {
namespace {

using policy::AddressClass;
using policy::AddressPrefix;
using policy::NetEvent;
using policy::PortSpan;
using policy::RuleSet;
using policy::Ruling;
using policy::Verdict;

constexpr uint32_t kProfileBits = 32;

template <typename Key>
Key KeyOf(uint32_t profile, const NetEvent& event) {
  Key key = {};
  if constexpr (requires { key.prefix_length; }) {
    key.prefix_length = kProfileBits + 8 * sizeof(key.address);
  }
  key.profile = profile;
  std::memcpy(key.address, event.address.data(), sizeof(key.address));
  return key;
}

// As class_of() in bpf/rule_tables.h.
template <typename HostKey, typename Key>
std::optional<palyra_address_class> ClassAt(int hosts, int trie, uint32_t profile,
                                            const NetEvent& event) {
  palyra_address_class value;
  if ((profile & (event.is_ipv6 ? PALYRA_HAS_HOSTS6 : PALYRA_HAS_HOSTS4)) != 0) {
    const auto host = KeyOf<HostKey>(profile, event);
    if (bpf_map_lookup_elem(hosts, &host, &value) == 0) return value;
  }
  const auto key = KeyOf<Key>(profile, event);
  if (bpf_map_lookup_elem(trie, &key, &value) != 0) return std::nullopt;
  return value;
}

bool LessBytes(const void* a, const void* b, size_t size) { return std::memcmp(a, b, size) < 0; }

template <typename Key, typename Value>
Entries<Key, Value> ReadEntries(const KernelObjects& objects, Table table, uint32_t profile) {
  Entries<Key, Value> entries;
  for (const Key& key : AllKeysOf<Key>(objects.fd(table), profile)) {
    Value value;
    // In a trie the longest match answers: that it is the key's own, the walk has shown.
    if (bpf_map_lookup_elem(objects.fd(table), &key, &value) == 0) entries.Add(key, value);
  }
  return entries;
}

std::unexpected<Error> Contradiction(const std::string& what) {
  return Fail(ErrorCode::kInternal, "the kernel tables are damaged: " + what);
}

// The rows of one class, or its inline spans as if they were one row over all ports.
struct Part {
  uint32_t first_port;
  std::span<const palyra_span> spans;
};

// Spans that go on from one part to the next become one again.
AddressClass JoinParts(const std::vector<Part>& parts) {
  AddressClass joined;
  for (const Part& part : parts) {
    for (const palyra_span& piece : part.spans) {
      const auto continued = [&](const PortSpan& span) {
        return part.first_port != 0 && piece.port_first == part.first_port &&
               span.last + 1U == piece.port_first && span.actions == piece.actions &&
               span.protocols == piece.protocols && span.reason == piece.reason &&
               span.verdict == static_cast<Verdict>(piece.verdict);
      };
      const auto open = std::ranges::find_if(joined.spans, continued);
      if (open != joined.spans.end()) {
        open->last = piece.port_last;
        continue;
      }
      joined.spans.push_back({.first = piece.port_first,
                              .last = piece.port_last,
                              .actions = piece.actions,
                              .protocols = piece.protocols,
                              .verdict = static_cast<Verdict>(piece.verdict),
                              .reason = piece.reason});
    }
  }
  std::ranges::sort(joined.spans, {}, [](const PortSpan& span) {
    return std::tuple(span.first, span.actions, span.protocols);
  });
  return joined;
}

using RowsByClass = std::map<uint32_t, std::map<uint32_t, const palyra_row*>>;

Result<AddressClass> ClassOf(const palyra_address_class& value, const RowsByClass& rows) {
  if (value.in_rows == 0) {
    if (value.span_count > PALYRA_INLINE_SPANS) return Contradiction("too many spans in a class");
    return JoinParts({{.first_port = 0, .spans = std::span(value.spans).first(value.span_count)}});
  }
  std::vector<Part> parts;
  const auto found = rows.find(value.address_class);
  if (found == rows.end()) return AddressClass();
  for (const auto& [part, row] : found->second) {
    if (row->span_count > PALYRA_ROW_SPANS || value.port_shift > 16) {
      return Contradiction("too many spans in a row");
    }
    parts.push_back({.first_port = part << value.port_shift,
                     .spans = std::span(row->spans).first(row->span_count)});
  }
  return JoinParts(parts);
}

// Classes by number, as their prefixes have them.
using ClassValues = std::map<uint32_t, palyra_address_class>;

template <typename Key>
Result<void> AddPrefixes(const Entries<Key, palyra_address_class>& entries, bool is_ipv6,
                         ClassValues& classes, RuleSet& rules) {
  bool has_default = false;
  for (size_t i = 0; i < entries.keys.size(); ++i) {
    const Key& key = entries.keys[i];
    const palyra_address_class& value = entries.values[i];
    if (value.address_class >= policy::kMaxClasses) return Contradiction("a class out of range");
    const auto [known, is_new] = classes.emplace(value.address_class, value);
    if (!is_new && std::memcmp(&known->second, &value, sizeof(value)) != 0) {
      return Contradiction("two prefixes of class " + std::to_string(value.address_class) +
                           " differ");
    }
    AddressPrefix prefix = {.is_ipv6 = is_ipv6,
                            .length = static_cast<uint8_t>(key.prefix_length - kProfileBits),
                            .bytes = {},
                            .address_class = value.address_class};
    std::memcpy(prefix.bytes.data(), key.address, sizeof(key.address));
    has_default = has_default || prefix.length == 0;
    if (prefix.length != 0 || prefix.address_class != 0) rules.prefixes.push_back(prefix);
  }
  if (!has_default) return Contradiction("no entry for addresses without a prefix");
  return {};
}

// Of leaves without an entry the rules say nothing, which denies.
Result<policy::NameRules> NamesOf(const NameRulesImage& image) {
  constexpr size_t kMostLeaves = PALYRA_MAX_NAME_LEAVES;
  const palyra_name_rules& rules = image.rules;
  if (rules.flag_count == 0 || size_t{rules.class_count} * rules.flag_count > kMostLeaves) {
    return Contradiction("leaves out of range");
  }
  if (!image.automaton) return Contradiction("no automaton where one should be");
  Result<policy::Automaton> automaton = image.automaton->Unpack();
  if (!automaton) return std::unexpected(automaton.error());
  return policy::NameRules{.action = static_cast<policy::NameAction>(image.key.action),
                           .automaton = *std::move(automaton),
                           .digests = {},
                           .flag_count = rules.flag_count,
                           .leaves = std::vector<Ruling>(
                               size_t{rules.class_count} * rules.flag_count,
                               {.verdict = Verdict::kDeny, .reason = policy::kReasonDefaultDeny})};
}

// Flags from 1 on, but for the last, are those of digests.
Result<void> AddDigests(const TableImage& image, RuleSet& rules) {
  const auto programs =
      std::ranges::find(rules.names, policy::NameAction::kProcessExec, &policy::NameRules::action);
  if (programs != rules.names.end() && programs->flag_count > 1) {
    programs->digests.resize(programs->flag_count - 2);
  }
  for (size_t i = 0; i < image.program_digests.keys.size(); ++i) {
    const uint32_t flag = image.program_digests.values[i];
    if (programs == rules.names.end() || flag == 0 || flag > programs->digests.size()) {
      return Contradiction("a digest of no leaf");
    }
    base::Sha256Digest digest;
    std::ranges::copy(image.program_digests.keys[i].bytes, digest.begin());
    programs->digests[flag - 1] = base::HexText(digest);
  }
  return {};
}

Result<void> AddNames(const TableImage& image, RuleSet& rules) {
  for (const NameRulesImage& names : image.name_rules) {
    Result<policy::NameRules> read = NamesOf(names);
    if (!read) return std::unexpected(read.error());
    rules.names.push_back(*std::move(read));
  }
  for (size_t i = 0; i < image.name_leaves.keys.size(); ++i) {
    const palyra_name_leaf_key& key = image.name_leaves.keys[i];
    const auto names = std::ranges::find(rules.names, static_cast<policy::NameAction>(key.action),
                                         &policy::NameRules::action);
    if (names == rules.names.end() || key.flag >= names->flag_count ||
        key.text_class >= names->leaves.size() / names->flag_count) {
      return Contradiction("a leaf of no class");
    }
    names->leaves[size_t{key.text_class} * names->flag_count + key.flag] = {
        .verdict = static_cast<Verdict>(image.name_leaves.values[i].verdict),
        .reason = image.name_leaves.values[i].reason};
  }
  return AddDigests(image, rules);
}

template <typename Key>
std::string KeyText(const Key& key) {
  std::string text;
  constexpr char kDigits[] = "0123456789abcdef";
  for (const uint8_t byte : std::span(reinterpret_cast<const uint8_t*>(&key), sizeof(key))) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 0xF];
  }
  return text;
}

template <typename Key>
struct LessKey {
  bool operator()(const Key& a, const Key& b) const { return LessBytes(&a, &b, sizeof(a)); }
};

template <typename Key, typename Value>
void AddDifferences(Table table, const Entries<Key, Value>& expected,
                    const Entries<Key, Value>& live, std::vector<std::string>& differences) {
  std::map<Key, const Value*, LessKey<Key>> missing;
  for (size_t i = 0; i < expected.keys.size(); ++i) {
    missing.emplace(expected.keys[i], &expected.values[i]);
  }
  const auto say = [&](const char* what, const Key& key) {
    differences.push_back(std::string(TableName(table)) + ": " + what + " the entry " +
                          KeyText(key));
  };
  for (size_t i = 0; i < live.keys.size(); ++i) {
    const auto found = missing.find(live.keys[i]);
    if (found == missing.end()) {
      say("nobody wrote", live.keys[i]);
      continue;
    }
    if (std::memcmp(found->second, &live.values[i], sizeof(Value)) != 0) {
      say("changed is", live.keys[i]);
    }
    missing.erase(found);
  }
  for (const auto& [key, value] : missing) say("lost is", key);
}

// Where an automaton lies is no part of what was compiled.
Entries<palyra_name_rules_key, palyra_name_rules> PlacelessRules(const TableImage& image) {
  Entries<palyra_name_rules_key, palyra_name_rules> entries;
  for (const NameRulesImage& names : image.name_rules) {
    palyra_name_rules rules = names.rules;
    rules.automaton = 0;
    entries.Add(names.key, rules);
  }
  return entries;
}

void AddAutomatonDifferences(const TableImage& expected, const TableImage& live,
                             std::vector<std::string>& differences) {
  for (const NameRulesImage& names : expected.name_rules) {
    const auto found =
        std::ranges::find(live.name_rules, names.key.action,
                          [](const NameRulesImage& other) { return other.key.action; });
    if (found == live.name_rules.end() || found->automaton == names.automaton) continue;
    differences.push_back(
        std::string(TableName(Table::kAutomata)) + ": changed is the automaton of " +
        std::string(policy::ActionName(static_cast<policy::NameAction>(names.key.action))));
  }
}

}  // namespace

Ruling DecideBySpans(std::span<const palyra_span> spans, uint32_t count, const NetEvent& event) {
  const unsigned action = 1U << static_cast<unsigned>(event.action);
  const unsigned protocol = 1U << static_cast<unsigned>(event.protocol);
  for (const palyra_span& span : spans.first(std::min<size_t>(count, spans.size()))) {
    if (event.port >= span.port_first && event.port <= span.port_last &&
        (span.actions & action) != 0 && (span.protocols & protocol) != 0) {
      return {.verdict = static_cast<Verdict>(span.verdict), .reason = span.reason};
    }
  }
  return {.verdict = Verdict::kDeny, .reason = policy::kReasonDefaultDeny};
}

Ruling DecideByTables(const KernelObjects& objects, uint32_t profile, const NetEvent& event) {
  constexpr Ruling kDenied = {.verdict = Verdict::kDeny, .reason = policy::kReasonDefaultDeny};
  const std::optional<palyra_address_class> found =
      event.is_ipv6
          ? ClassAt<palyra_host6_key, palyra_address6_key>(
                objects.fd(Table::kHosts6), objects.fd(Table::kAddresses6), profile, event)
          : ClassAt<palyra_host4_key, palyra_address4_key>(
                objects.fd(Table::kHosts4), objects.fd(Table::kAddresses4), profile, event);
  if (!found) return kDenied;
  if (found->in_rows == 0) return DecideBySpans(found->spans, found->span_count, event);
  const palyra_row_key key = {.profile = profile,
                              .address_class = found->address_class,
                              .part = uint32_t{event.port} >> (found->port_shift & 31U)};
  palyra_row row;
  if (bpf_map_lookup_elem(objects.fd(Table::kRows), &key, &row) != 0) return kDenied;
  return DecideBySpans(row.spans, row.span_count, event);
}

Result<TableImage> ReadTables(const KernelObjects& objects, uint32_t profile) {
  constexpr std::chrono::milliseconds kPatience{5'000};
  const Result<UniqueFd> lock =
      objects.LockProfiles(KernelObjects::ProfileLock::kShared, kPatience);
  if (!lock) return std::unexpected(lock.error());
  TableImage image;
  image.addresses4 =
      ReadEntries<palyra_address4_key, palyra_address_class>(objects, Table::kAddresses4, profile);
  image.addresses6 =
      ReadEntries<palyra_address6_key, palyra_address_class>(objects, Table::kAddresses6, profile);
  image.hosts4 =
      ReadEntries<palyra_host4_key, palyra_address_class>(objects, Table::kHosts4, profile);
  image.hosts6 =
      ReadEntries<palyra_host6_key, palyra_address_class>(objects, Table::kHosts6, profile);
  image.rows = ReadEntries<palyra_row_key, palyra_row>(objects, Table::kRows, profile);
  image.reasons = ReadEntries<palyra_reason_key, palyra_reason>(objects, Table::kReasons, profile);
  Result<std::vector<NameRulesImage>> names = ReadNameRules(objects, profile);
  if (!names) return std::unexpected(names.error());
  image.name_rules = *std::move(names);
  image.name_leaves =
      ReadEntries<palyra_name_leaf_key, palyra_name_leaf>(objects, Table::kNameLeaves, profile);
  image.program_digests =
      ReadEntries<palyra_program_digest, uint32_t>(objects, Table::kProgramDigests, profile);
  return image;
}

Result<RuleSet> RulesOf(const TableImage& image) {
  RuleSet rules;
  ClassValues values;
  if (Result<void> added = AddPrefixes(image.addresses4, false, values, rules); !added) {
    return std::unexpected(added.error());
  }
  if (Result<void> added = AddPrefixes(image.addresses6, true, values, rules); !added) {
    return std::unexpected(added.error());
  }
  std::ranges::sort(rules.prefixes, {}, [](const AddressPrefix& prefix) {
    return std::tie(prefix.is_ipv6, prefix.bytes, prefix.length);
  });
  RowsByClass rows;
  for (size_t i = 0; i < image.rows.keys.size(); ++i) {
    rows[image.rows.keys[i].address_class][image.rows.keys[i].part] = &image.rows.values[i];
  }
  rules.classes.resize(values.empty() ? 1 : values.rbegin()->first + 1);
  for (const auto& [number, value] : values) {
    Result<AddressClass> address_class = ClassOf(value, rows);
    if (!address_class) return std::unexpected(address_class.error());
    rules.classes[number] = *std::move(address_class);
  }
  if (Result<void> added = AddNames(image, rules); !added) return std::unexpected(added.error());
  return rules;
}

std::vector<std::string> ReasonTexts(const TableImage& image) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < image.reasons.keys.size(); ++i) {
    const uint32_t reason = image.reasons.keys[i].reason;
    if (reason >= PALYRA_MAX_REASONS) continue;
    if (texts.size() <= reason) texts.resize(reason + 1);
    const palyra_reason& stored = image.reasons.values[i];
    texts[reason] = std::string(stored.policies, strnlen(stored.policies, sizeof(stored.policies)));
  }
  return texts;
}

Result<std::string> StoredText(const TableImage& image) {
  Result<RuleSet> rules = RulesOf(image);
  if (!rules) return std::unexpected(rules.error());
  std::string text = policy::DumpText(*rules);
  const std::vector<std::string> reasons = ReasonTexts(image);
  for (size_t i = 0; i < reasons.size(); ++i) {
    text += "reason " + std::to_string(i) + ' ' + reasons[i] + '\n';
  }
  return text;
}

Result<std::string> StoredText(const RuleSet& rules) {
  constexpr uint32_t kAnyProfile = 1;
  Result<TableImage> image = BuildTableImage(rules, kAnyProfile);
  if (!image) return std::unexpected(image.error());
  return StoredText(*image);
}

std::vector<std::string> DifferencesBetween(const TableImage& expected, const TableImage& live,
                                            size_t most) {
  std::vector<std::string> differences;
  AddDifferences(Table::kAddresses4, expected.addresses4, live.addresses4, differences);
  AddDifferences(Table::kAddresses6, expected.addresses6, live.addresses6, differences);
  AddDifferences(Table::kHosts4, expected.hosts4, live.hosts4, differences);
  AddDifferences(Table::kHosts6, expected.hosts6, live.hosts6, differences);
  AddDifferences(Table::kRows, expected.rows, live.rows, differences);
  AddDifferences(Table::kReasons, expected.reasons, live.reasons, differences);
  AddDifferences(Table::kNameLeaves, expected.name_leaves, live.name_leaves, differences);
  AddDifferences(Table::kProgramDigests, expected.program_digests, live.program_digests,
                 differences);
  AddDifferences(Table::kNameRules, PlacelessRules(expected), PlacelessRules(live), differences);
  AddAutomatonDifferences(expected, live, differences);
  if (differences.size() > most) {
    const size_t left_out = differences.size() - most;
    differences.resize(most);
    differences.push_back(std::to_string(left_out) + " more");
  }
  return differences;
}

}  // namespace palyra::engine
