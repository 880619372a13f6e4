// A RuleSet as the entries of the kernel's tables: the only place that knows both forms.

#ifndef PALYRA_ENGINE_TABLE_IMAGE_H_
#define PALYRA_ENGINE_TABLE_IMAGE_H_

#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include "base/result.h"
#include "bpf/abi.h"
#include "engine/automaton_image.h"
#include "policy/rule_set.h"

namespace palyra::engine {

// Keys and values of one map, in parallel.
template <typename Key, typename Value>
struct Entries {
  std::vector<Key> keys;
  std::vector<Value> values;

  void Add(const Key& key, const Value& value) {
    keys.push_back(key);
    values.push_back(value);
  }
};

// What decides about the names of one action, but for its leaves.
struct NameRulesImage {
  palyra_name_rules_key key;
  palyra_name_rules rules;  // Its place is 0 as long as it has none.
  // Nothing where what was read is no automaton.
  std::optional<AutomatonImage> automaton;
};

struct TableImage {
  Entries<palyra_address4_key, palyra_address_class> addresses4;
  Entries<palyra_address6_key, palyra_address_class> addresses6;
  // Of addresses4 and addresses6 what is for few addresses, one by one; empty in a profile without
  // PALYRA_HAS_HOSTS4 or 6.
  Entries<palyra_host4_key, palyra_address_class> hosts4;
  Entries<palyra_host6_key, palyra_address_class> hosts6;
  Entries<palyra_row_key, palyra_row> rows;
  Entries<palyra_reason_key, palyra_reason> reasons;
  std::vector<NameRulesImage> name_rules;  // By action.
  Entries<palyra_name_leaf_key, palyra_name_leaf> name_leaves;
  Entries<palyra_program_digest, uint32_t> program_digests;
};

// PALYRA_HAS_HOSTS4 and 6 where `rules` name so many single addresses of the family that finding
// them in one step pays, and no more than the tables of bpf/abi.h can hold.
uint32_t HostsFlags(const policy::RuleSet& rules);

// The addresses of one entry of a trie as keys of the table of hosts; none where they are many.
template <typename HostKey, typename Key>
std::vector<HostKey> HostKeys(const Key& prefix) {
  constexpr uint32_t kBits = 32 + 8 * sizeof(prefix.address);
  std::vector<HostKey> hosts;
  if (prefix.prefix_length + PALYRA_HOST_BITS < kBits) return hosts;
  for (uint32_t i = 0; i < 1U << (kBits - prefix.prefix_length); ++i) {
    HostKey host = {};
    host.profile = prefix.profile;
    std::memcpy(host.address, prefix.address, sizeof(host.address));
    host.address[sizeof(host.address) - 1] |= static_cast<uint8_t>(i);
    hosts.push_back(host);
  }
  return hosts;
}

// PALYRA_JUDGES_FILES and PALYRA_ASKS_DIGESTS where the rules have tables for that.
uint32_t JudgedFlags(const policy::RuleSet& rules);

// Every entry carries `profile` in its key. A class with more than a few spans has them in rows,
// cut into equal port ranges, as few as possible; a range without spans has no row, which means
// deny. kExhausted if a table of bpf/abi.h cannot hold the entries even when empty.
Result<TableImage> BuildTableImage(const policy::RuleSet& rules, uint32_t profile);

// An entry of `names`, which has room for PALYRA_ROW_SPANS spans: a class with more becomes one
// that denies everything.
bool FitsName(const policy::AddressClass& decides);
palyra_name BuildName(const policy::AddressClass& decides, uint64_t expires_ns);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_TABLE_IMAGE_H_
