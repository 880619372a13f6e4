#include "policy/minimise.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>

#include "policy/sequence_pool.h"

namespace palyra::policy {
namespace {

constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

// Calls visit(next) for the fallback and each edge.
template <typename Visit>
void ForEachNext(const SparseDfa& dfa, uint32_t state, Visit visit) {
  visit(dfa.states[state].fallback);
  for (const SparseDfa::Edge& edge : dfa.EdgesOf(state)) visit(edge.next);
}

// What `state` does, where states have become blocks. Equal for two states if and only if they do
// the same: of symbol 0 all have a fallback, and an edge is only what differs from it.
void RowOf(const SparseDfa& dfa, uint32_t state, uint32_t label,
           const std::vector<uint32_t>& block_of, std::vector<uint32_t>& row) {
  const uint32_t fallback = block_of[dfa.states[state].fallback];
  row.assign({label, fallback});
  for (const SparseDfa::Edge& edge : dfa.EdgesOf(state)) {
    const uint32_t next = block_of[edge.next];
    if (next == fallback) continue;
    row.push_back(edge.symbol);
    row.push_back(next);
  }
}

// The states that no cycle leads to, each before all that it leads to.
std::vector<uint32_t> AcyclicFirst(const SparseDfa& dfa) {
  const size_t count = dfa.states.size();
  std::vector<uint32_t> arrivals(count, 0);
  for (uint32_t state = 0; state < count; ++state) {
    ForEachNext(dfa, state, [&](uint32_t next) { ++arrivals[next]; });
  }
  std::vector<uint32_t> order;
  order.reserve(count);
  if (arrivals[0] == 0) order.push_back(0);
  for (size_t i = 0; i < order.size(); ++i) {
    ForEachNext(dfa, order[i], [&](uint32_t next) {
      if (--arrivals[next] == 0) order.push_back(next);
    });
  }
  return order;
}

// Partitions the states `members`, from which no other state can be reached.
class Refinement {
 public:
  // Blocks are written to `block_of`, for the members alone.
  Refinement(const SparseDfa& dfa, std::vector<uint32_t> members, std::vector<uint32_t>& block_of)
      : dfa_(dfa), order_(std::move(members)), block_of_(block_of) {
    place_.assign(dfa.states.size(), kNone);
    dirty_.assign(dfa.states.size(), 0);
    for (uint32_t i = 0; i < order_.size(); ++i) place_[order_[i]] = i;
    CollectSources();
  }

  // The number of blocks.
  uint32_t Run() {
    blocks_.push_back({.first = 0, .size = static_cast<uint32_t>(order_.size())});
    for (const uint32_t state : order_) block_of_[state] = 0;
    std::vector<uint32_t> dirty = order_;
    while (!dirty.empty()) dirty = Round(dirty);
    return static_cast<uint32_t>(blocks_.size());
  }

 private:
  struct Block {
    uint32_t first;  // In order_.
    uint32_t size;
  };

  // Who leads to each member, among the members.
  void CollectSources() {
    source_start_.assign(order_.size() + 1, 0);
    const auto each = [&](auto visit) {
      for (const uint32_t state : order_) {
        ForEachNext(dfa_, state, [&](uint32_t next) { visit(state, place_[next]); });
      }
    };
    index_.resize(dfa_.states.size());
    for (uint32_t i = 0; i < order_.size(); ++i) index_[order_[i]] = i;
    each([&](uint32_t, uint32_t next) { ++source_start_[next + 1]; });
    for (size_t i = 0; i + 1 < source_start_.size(); ++i) source_start_[i + 1] += source_start_[i];
    sources_.resize(source_start_.back());
    std::vector<uint32_t> end(source_start_.begin(), source_start_.end() - 1);
    each([&](uint32_t state, uint32_t next) { sources_[end[next]++] = state; });
  }

  // Regroups the states in `dirty`, those whose next states have changed blocks; all others of
  // their blocks still do the same as each other. Returns those that are dirty now.
  std::vector<uint32_t> Round(const std::vector<uint32_t>& dirty) {
    SequencePool rows;
    std::vector<uint32_t> row;
    std::vector<std::pair<uint32_t, uint32_t>> keyed;  // Row, which implies the block, and state.
    keyed.reserve(dirty.size());
    for (const uint32_t state : dirty) {
      dirty_[state] = 0;
      RowOf(dfa_, state, block_of_[state], block_of_, row);
      row.push_back(dfa_.states[state].text_class);
      keyed.emplace_back(rows.Intern(row).id, state);
    }
    std::ranges::sort(keyed, [&](const auto& a, const auto& b) {
      return std::pair(block_of_[a.second], a) < std::pair(block_of_[b.second], b);
    });
    moved_.clear();
    for (size_t begin = 0; begin < keyed.size();) {
      const uint32_t block = block_of_[keyed[begin].second];
      size_t end = begin;
      while (end < keyed.size() && block_of_[keyed[end].second] == block) ++end;
      Split(block, std::span(keyed).subspan(begin, end - begin));
      begin = end;
    }
    std::vector<uint32_t> next_dirty;
    for (const uint32_t state : moved_) MarkSources(state, next_dirty);
    return next_dirty;
  }

  void MoveTo(uint32_t place, uint32_t state) {
    const uint32_t other = order_[place];
    std::swap(order_[place], order_[place_[state]]);
    place_[other] = place_[state];
    place_[state] = place;
  }

  // `keyed` are the dirty states of `block`, ascending by row. The largest of the new parts, of
  // which the states that are not dirty are one, keeps the number of the block.
  void Split(uint32_t block, std::span<const std::pair<uint32_t, uint32_t>> keyed) {
    const Block old = blocks_[block];
    std::vector<Block> parts;
    uint32_t place = old.first;
    for (size_t i = 0; i < keyed.size(); ++i) {
      if (i == 0 || keyed[i].first != keyed[i - 1].first) {
        parts.push_back({.first = place, .size = 0});
      }
      ++parts.back().size;
      MoveTo(place++, keyed[i].second);
    }
    const uint32_t end = old.first + old.size;
    if (place != end) parts.push_back({.first = place, .size = end - place});
    const auto largest = std::ranges::max_element(parts, {}, &Block::size);
    blocks_[block] = *largest;
    for (auto part = parts.begin(); part != parts.end(); ++part) {
      if (part == largest) continue;
      const auto number = static_cast<uint32_t>(blocks_.size());
      blocks_.push_back(*part);
      // The blocks of this round's rows stay as they are until all its blocks are split.
      for (uint32_t i = part->first; i < part->first + part->size; ++i) {
        block_of_[order_[i]] = number;
        moved_.push_back(order_[i]);
      }
    }
  }

  void MarkSources(uint32_t state, std::vector<uint32_t>& next_dirty) {
    const uint32_t index = index_[state];
    for (uint32_t i = source_start_[index]; i < source_start_[index + 1]; ++i) {
      const uint32_t source = sources_[i];
      if (dirty_[source] != 0) continue;
      dirty_[source] = 1;
      next_dirty.push_back(source);
    }
  }

  const SparseDfa& dfa_;
  std::vector<uint32_t> order_;  // The members, block by block.
  std::vector<uint32_t> place_;  // Of a state in order_.
  std::vector<uint32_t>& block_of_;
  std::vector<Block> blocks_;
  std::vector<uint32_t> index_;  // Of a state in source_start_.
  std::vector<uint32_t> source_start_;
  std::vector<uint32_t> sources_;
  std::vector<uint8_t> dirty_;
  std::vector<uint32_t> moved_;  // States that have got new blocks in this round.
};

}  // namespace

std::vector<uint32_t> EquivalentStates(const SparseDfa& dfa) {
  const std::vector<uint32_t> acyclic = AcyclicFirst(dfa);
  std::vector<uint32_t> block_of(dfa.states.size(), kNone);
  std::vector<bool> is_acyclic(dfa.states.size(), false);
  for (const uint32_t state : acyclic) is_acyclic[state] = true;
  std::vector<uint32_t> cyclic;
  for (uint32_t state = 0; state < dfa.states.size(); ++state) {
    if (!is_acyclic[state]) cyclic.push_back(state);
  }
  const uint32_t cyclic_blocks = Refinement(dfa, cyclic, block_of).Run();

  SequencePool rows;
  std::vector<uint32_t> row;
  std::vector<uint32_t> block_of_row;
  std::vector<bool> is_known(cyclic_blocks, false);
  for (const uint32_t state : cyclic) {
    if (is_known[block_of[state]]) continue;
    is_known[block_of[state]] = true;
    RowOf(dfa, state, dfa.states[state].text_class, block_of, row);
    rows.Intern(row);
    block_of_row.push_back(block_of[state]);
  }
  for (size_t i = acyclic.size(); i > 0; --i) {
    const uint32_t state = acyclic[i - 1];
    RowOf(dfa, state, dfa.states[state].text_class, block_of, row);
    const SequencePool::Interned interned = rows.Intern(row);
    if (interned.is_new) block_of_row.push_back(static_cast<uint32_t>(block_of_row.size()));
    block_of[state] = block_of_row[interned.id];
  }
  return block_of;
}

}  // namespace palyra::policy
