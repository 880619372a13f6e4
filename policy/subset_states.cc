#include "policy/subset_states.h"

#include <algorithm>
#include <array>
#include <limits>

#include "policy/limits.h"

namespace palyra::policy {
namespace {

constexpr std::array<uint32_t, 1> kOutside = {std::numeric_limits<uint32_t>::max()};

// What a number that is kept counts as work; one that is copied counts 1.
constexpr size_t kKept = 4;

bool Holds(std::span<const uint32_t> sorted, uint32_t value) {
  return std::ranges::binary_search(sorted, value);
}

void Insert(std::vector<uint32_t>& sorted, uint32_t value) {
  const auto place = std::ranges::lower_bound(sorted, value);
  if (place == sorted.end() || *place != value) sorted.insert(place, value);
}

bool IsOutside(std::span<const uint32_t> state) { return state.size() == kOutside.size(); }

}  // namespace

SubsetStates::SubsetStates(const PieceList& pieces, uint32_t label_count,
                           std::optional<uint32_t> universe)
    : pieces_(pieces), forest_(pieces), universe_(universe), patterns_of_label_(label_count, 0) {}

void SubsetStates::AddStart() {
  std::vector<uint32_t> first_pieces;
  for (uint32_t piece = 0; piece < pieces_.size(); ++piece) {
    if (!pieces_[piece].is_first) continue;
    first_pieces.push_back(piece);
    ++patterns_of_label_[pieces_[piece].label];
  }
  const std::optional<uint32_t> trie = forest_.Add(first_pieces, kMaxPatternNodes);
  if (!trie) {
    exhausted_ = true;
    return;
  }
  first_trie_ = *trie;
  const uint32_t waiting = InternWaiting({});
  const uint32_t matched = matched_.Intern({}).id;
  std::vector<uint32_t> nodes = {first_trie_};
  Enter({.waiting = waiting, .matched = matched}, nodes);
}

void SubsetStates::StepsOf(uint32_t state, std::vector<Step>& steps) const {
  steps.clear();
  const std::span<const uint32_t> set = states_[state];
  if (IsOutside(set)) return;
  const auto add = [&](const PieceForest::Node& node) {
    for (uint32_t child = node.first_child; child < node.first_child + node.child_count; ++child) {
      const uint8_t byte = forest_[child].byte;
      auto step = std::ranges::lower_bound(steps, byte, {}, &Step::byte);
      if (step == steps.end() || step->byte != byte) {
        step = steps.insert(step, {.byte = byte, .nodes = {}});
      }
      step->nodes.push_back(child);
    }
  };
  add(forest_[trie_of_waiting_[set[0]]]);
  for (const uint32_t node : set.subspan(2)) add(forest_[node]);
}

uint32_t SubsetStates::After(uint32_t state, std::vector<uint32_t>& nodes) {
  const std::span<const uint32_t> set = states_[state];
  if (IsOutside(set)) return state;
  return Enter({.waiting = set[0], .matched = set[1]}, nodes);
}

uint32_t SubsetStates::Enter(Sets sets, std::vector<uint32_t>& nodes) {
  Complete(nodes, sets);
  SettleNodes(sets, nodes);
  if (!IsLive(sets, nodes)) return states_.Intern(kOutside).id;
  nodes.insert(nodes.begin(), {sets.waiting, sets.matched});
  const SequencePool::Interned state = states_.Intern(nodes);
  if (state.is_new) Charge(kKept * nodes.size());
  return state.id;
}

// Pieces that end at the nodes let their patterns go on.
void SubsetStates::Complete(const std::vector<uint32_t>& nodes, Sets& sets) {
  std::vector<uint32_t> complete;
  for (const uint32_t number : nodes) {
    const PieceForest::Node& node = forest_[number];
    for (const uint32_t piece : forest_.Members(node.first, node.longer)) {
      if (!pieces_[piece].is_last) complete.push_back(piece);
    }
  }
  if (complete.empty()) return;
  const auto copy = [&](std::span<const uint32_t> set) {
    Charge(set.size());
    return std::vector<uint32_t>(set.begin(), set.end());
  };
  std::vector<uint32_t> waiting = copy(waiting_[sets.waiting]);
  std::vector<uint32_t> matched = copy(matched_[sets.matched]);
  for (const uint32_t piece : complete) Advance(piece, waiting, matched);
  sets.waiting = InternWaiting(waiting);
  const SequencePool::Interned interned = matched_.Intern(matched);
  if (interned.is_new) Charge(kKept * matched.size());
  sets.matched = interned.id;
}

void SubsetStates::Advance(uint32_t piece, std::vector<uint32_t>& waiting,
                           std::vector<uint32_t>& matched) {
  const uint32_t next = piece + 1;
  const uint32_t label = pieces_[next].label;
  const uint32_t pattern = pieces_[next].pattern;
  if (Holds(matched, label)) return;
  // Pieces of one pattern are neighbours: the piece that is awaited lies beside the one after it.
  auto place = std::ranges::lower_bound(waiting, next);
  if (place != waiting.end() && pieces_[*place].pattern == pattern) return;
  if (place != waiting.begin() && pieces_[*std::prev(place)].pattern == pattern) {
    place = waiting.erase(std::prev(place));
  }
  if (!pieces_.IsEndless(next)) {
    waiting.insert(place, next);
    return;
  }
  Insert(matched, label);
  if (patterns_of_label_[label] > 1) {
    std::erase_if(waiting, [&](uint32_t p) { return pieces_[p].label == label; });
  }
}

// Nodes of which nothing can come are dropped. Those of other tries become nodes of the present one
// where that means the same; else they stay, so that pieces which are waited for only now do not
// count as begun.
void SubsetStates::SettleNodes(const Sets& sets, std::vector<uint32_t>& nodes) {
  const uint32_t trie = trie_of_waiting_[sets.waiting];
  const std::span<const uint32_t> waiting = waiting_[sets.waiting];
  std::erase_if(nodes, [&](uint32_t& number) {
    const PieceForest::Node& node = forest_[number];
    if (IsSpent(node)) return true;
    if (node.trie == first_trie_ || node.trie == trie) return false;
    const std::span<const uint32_t> members = forest_.Members(node.first, node.end);
    const auto still =
        std::ranges::count_if(members, [&](uint32_t p) { return Holds(waiting, p); });
    if (still == 0) return true;
    const std::optional<uint32_t> same = forest_.SameText(number, trie);
    if (same && forest_[*same].end - forest_[*same].first == still) number = *same;
    return false;
  });
  std::ranges::sort(nodes);
  const auto repeated = std::ranges::unique(nodes);
  nodes.erase(repeated.begin(), repeated.end());
}

bool SubsetStates::IsSpent(const PieceForest::Node& node) const {
  return node.child_count == 0 &&
         std::ranges::none_of(forest_.Members(node.first, node.longer),
                              [&](uint32_t piece) { return pieces_[piece].is_last; });
}

bool SubsetStates::IsLive(const Sets& sets, const std::vector<uint32_t>& nodes) const {
  if (!universe_ || Holds(matched_[sets.matched], *universe_)) return true;
  const auto is_of_universe = [&](uint32_t piece) { return pieces_[piece].label == *universe_; };
  // Its pieces are the last of all.
  const std::span<const uint32_t> waiting = waiting_[sets.waiting];
  if (!waiting.empty() && is_of_universe(waiting.back())) return true;
  return std::ranges::any_of(nodes, [&](uint32_t number) {
    const PieceForest::Node& node = forest_[number];
    return node.trie == first_trie_ &&
           std::ranges::any_of(forest_.Members(node.first, node.end), is_of_universe);
  });
}

uint32_t SubsetStates::InternWaiting(const std::vector<uint32_t>& waiting) {
  const SequencePool::Interned interned = waiting_.Intern(waiting);
  if (interned.is_new) {
    Charge(kKept * waiting.size());
    const std::optional<uint32_t> trie = forest_.Add(waiting, kMaxPatternNodes);
    if (!trie) exhausted_ = true;
    trie_of_waiting_.push_back(trie.value_or(first_trie_));
  }
  return interned.id;
}

void SubsetStates::Charge(size_t work) {
  work_ += work;
  if (work_ > kMaxAutomatonWork) exhausted_ = true;
}

std::optional<std::vector<uint32_t>> SubsetStates::LabelsAt(uint32_t state) const {
  const std::span<const uint32_t> set = states_[state];
  if (IsOutside(set)) return std::nullopt;
  const std::span<const uint32_t> waiting = waiting_[set[0]];
  const std::span<const uint32_t> matched = matched_[set[1]];
  std::vector<uint32_t> labels(matched.begin(), matched.end());
  for (const uint32_t number : set.subspan(2)) {
    const PieceForest::Node& node = forest_[number];
    for (const uint32_t piece : forest_.Members(node.first, node.longer)) {
      const bool holds = pieces_[piece].is_first || Holds(waiting, piece);
      if (pieces_[piece].is_last && holds) Insert(labels, pieces_[piece].label);
    }
  }
  if (!universe_) return labels;
  if (labels.empty() || labels.back() != *universe_) return std::nullopt;
  labels.pop_back();
  return labels;
}

std::vector<size_t> SubsetStates::StatesThatWait() const {
  std::vector<size_t> states_of_set(waiting_.size(), 0);
  for (uint32_t state = 0; state < states_.size(); ++state) {
    if (!IsOutside(states_[state])) ++states_of_set[states_[state][0]];
  }
  std::vector<size_t> states_of_piece(pieces_.size(), 0);
  for (uint32_t set = 0; set < waiting_.size(); ++set) {
    for (const uint32_t piece : waiting_[set]) states_of_piece[piece] += states_of_set[set];
  }
  return states_of_piece;
}

}  // namespace palyra::policy
