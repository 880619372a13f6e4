// A function over ordered points that changes at finitely many of them.

#ifndef PALYRA_POLICY_COMPILE_STEP_MAP_H_
#define PALYRA_POLICY_COMPILE_STEP_MAP_H_

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>
#include <vector>

namespace palyra::policy {

__extension__ using Point = unsigned __int128;

// Immutable. Points begin at 0; where they end is not its business.
template <typename Value>
class StepMap {
 public:
  struct Piece {
    Point first;  // The piece reaches to the next one's first point, the last to the end.
    Value value;
    bool operator==(const Piece&) const = default;
  };

  // The same everywhere.
  explicit StepMap(Value value) { pieces_.push_back({.first = 0, .value = std::move(value)}); }

  // Ascending by `first`, beginning at 0; equal neighbours become one.
  explicit StepMap(std::vector<Piece> pieces) : pieces_(std::move(pieces)) {
    const auto repeated =
        std::unique(pieces_.begin(), pieces_.end(),
                    [](const Piece& a, const Piece& b) { return a.value == b.value; });
    pieces_.erase(repeated, pieces_.end());
  }

  [[nodiscard]] const std::vector<Piece>& pieces() const { return pieces_; }
  [[nodiscard]] bool is_constant() const { return pieces_.size() == 1; }

  [[nodiscard]] const Value& At(Point point) const {
    const auto after = std::ranges::upper_bound(pieces_, point, {}, &Piece::first);
    return std::prev(after)->value;
  }

  bool operator==(const StepMap&) const = default;

 private:
  std::vector<Piece> pieces_;
};

// combine(a, b) point by point.
template <typename Value, typename Combine>
StepMap<Value> Merge(const StepMap<Value>& a, const StepMap<Value>& b, Combine combine) {
  std::vector<typename StepMap<Value>::Piece> pieces;
  pieces.reserve(a.pieces().size() + b.pieces().size());
  auto in_a = a.pieces().begin();
  auto in_b = b.pieces().begin();
  for (Point at = 0;;) {
    pieces.push_back({.first = at, .value = combine(in_a->value, in_b->value)});
    const auto next_a = std::next(in_a);
    const auto next_b = std::next(in_b);
    const bool a_ends = next_a == a.pieces().end();
    const bool b_ends = next_b == b.pieces().end();
    if (a_ends && b_ends) {
      return StepMap<Value>(std::move(pieces));
    }
    const bool a_steps = !a_ends && (b_ends || next_a->first <= next_b->first);
    const bool b_steps = !b_ends && (a_ends || next_b->first <= next_a->first);
    at = a_steps ? next_a->first : next_b->first;
    in_a = a_steps ? next_a : in_a;
    in_b = b_steps ? next_b : in_b;
  }
}

// combine over all maps in order, at least one. `combine` is associative: neighbours are merged
// pairwise, so that a chain of n small maps costs n log n.
template <typename Value, typename Combine>
StepMap<Value> MergeAll(std::vector<StepMap<Value>> maps, Combine combine) {
  while (maps.size() > 1) {
    std::vector<StepMap<Value>> merged;
    merged.reserve((maps.size() + 1) / 2);
    for (size_t i = 0; i + 1 < maps.size(); i += 2) {
      merged.push_back(Merge(maps[i], maps[i + 1], combine));
    }
    if (maps.size() % 2 == 1) {
      merged.push_back(std::move(maps.back()));
    }
    maps = std::move(merged);
  }
  return std::move(maps.front());
}

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_STEP_MAP_H_
