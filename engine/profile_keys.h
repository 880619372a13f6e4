// Keys of one profile in tables that many share.

#ifndef PALYRA_ENGINE_PROFILE_KEYS_H_
#define PALYRA_ENGINE_PROFILE_KEYS_H_

#include <bpf/bpf.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include "bpf/abi.h"

namespace palyra::engine {

// The order in which the kernel walks a trie (kernel/bpf/lpm_trie.c, trie_get_next_key): by the
// bits of the address, and a prefix after everything that lies in it.
template <typename Key>
bool ComesBefore(const Key& a, const Key& b) {
  constexpr uint32_t kProfileBits = 32;
  const uint32_t common = std::min(a.prefix_length, b.prefix_length) - kProfileBits;
  const size_t bytes = common / 8;
  if (const int order = std::memcmp(a.address, b.address, bytes); order != 0) return order < 0;
  if (common % 8 != 0) {
    const auto mask = static_cast<unsigned>(0xFF00U >> (common % 8)) & 0xFFU;
    const unsigned left = a.address[bytes] & mask;
    const unsigned right = b.address[bytes] & mask;
    if (left != right) return left < right;
  }
  return a.prefix_length > b.prefix_length;
}

// The order in which the prefixes of one profile may go while a program still decides by them: what
// it then finds is the right one, or none, which is a deny; never one around it.
template <typename Key>
void SortForRemoval(std::vector<Key>& keys) {
  std::ranges::stable_sort(keys, {}, [](const Key& key) { return key.prefix_length; });
}

// The key at which the walk over them begins. `keys` is not empty.
template <typename Key>
Key FirstKey(const std::vector<Key>& keys) {
  return *std::ranges::min_element(keys, ComesBefore<Key>);
}

// The `count` keys of one profile, which lie beside each other, from `first` on. Nothing where that
// is not what is there.
template <typename Key>
std::optional<std::vector<Key>> NeighbouringKeys(int trie, const Key& first, uint32_t count) {
  palyra_address_class value;
  if (bpf_map_lookup_elem(trie, &first, &value) != 0) return std::nullopt;
  std::vector<Key> keys = {first};
  Key next = {};
  while (keys.size() <= count && bpf_map_get_next_key(trie, &keys.back(), &next) == 0 &&
         next.profile == first.profile) {
    keys.push_back(next);
  }
  if (keys.size() != count) return std::nullopt;
  return keys;
}

// The keys of `profile`, by looking at every key of the table. Only what nobody removes meanwhile
// is sure to be found, and nothing is found twice.
template <typename Key>
std::vector<Key> AllKeysOf(int table, uint32_t profile) {
  std::vector<Key> found;
  Key key = {};
  Key* previous = nullptr;
  while (bpf_map_get_next_key(table, previous, &key) == 0) {
    if (key.profile == profile) found.push_back(key);
    previous = &key;
  }
  const auto less = [](const Key& a, const Key& b) { return std::memcmp(&a, &b, sizeof(a)) < 0; };
  const auto equal = [](const Key& a, const Key& b) { return std::memcmp(&a, &b, sizeof(a)) == 0; };
  std::ranges::sort(found, less);
  found.erase(std::unique(found.begin(), found.end(), equal), found.end());
  return found;
}

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_PROFILE_KEYS_H_
