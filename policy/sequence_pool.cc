#include "policy/sequence_pool.h"

#include <algorithm>

namespace palyra::policy {
namespace {

constexpr size_t kFirstSlots = 64;

uint32_t HashOf(std::span<const uint32_t> sequence) {
  uint64_t hash = 0x9E3779B97F4A7C15U + sequence.size();
  for (const uint32_t word : sequence) {
    hash = (hash ^ word) * 0xFF51AFD7ED558CCDU;
    hash ^= hash >> 32U;
  }
  return static_cast<uint32_t>(hash);
}

}  // namespace

SequencePool::Interned SequencePool::Intern(std::span<const uint32_t> sequence) {
  if (hashes_.size() * 2 >= slots_.size()) Grow();
  const uint32_t hash = HashOf(sequence);
  size_t slot = hash & (slots_.size() - 1);
  while (slots_[slot] != 0) {
    const uint32_t id = slots_[slot] - 1;
    if (hashes_[id] == hash && std::ranges::equal((*this)[id], sequence)) return {id, false};
    slot = (slot + 1) & (slots_.size() - 1);
  }
  const auto id = static_cast<uint32_t>(hashes_.size());
  slots_[slot] = id + 1;
  words_.insert(words_.end(), sequence.begin(), sequence.end());
  starts_.push_back(words_.size());
  hashes_.push_back(hash);
  return {id, true};
}

void SequencePool::Grow() {
  slots_.assign(std::max(kFirstSlots, slots_.size() * 2), 0);
  for (size_t id = 0; id < hashes_.size(); ++id) {
    size_t slot = hashes_[id] & (slots_.size() - 1);
    while (slots_[slot] != 0) slot = (slot + 1) & (slots_.size() - 1);
    slots_[slot] = static_cast<uint32_t>(id + 1);
  }
}

}  // namespace palyra::policy
