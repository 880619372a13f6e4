#include "policy/truth_map.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace palyra::policy {
namespace {

Truth AndValues(Truth left, Truth right) { return left == Truth::kTrue ? right : left; }
Truth OrValues(Truth left, Truth right) { return left == Truth::kFalse ? right : left; }

// Steps through both maps at once.
template <typename Combine>
TruthMap Merge(const TruthMap& a, const TruthMap& b, Combine combine) {
  std::vector<TruthMap::Piece> pieces;
  pieces.reserve(a.pieces().size() + b.pieces().size());
  size_t i = 0;
  size_t j = 0;
  Point at = 0;
  for (;;) {
    pieces.push_back({.first = at, .value = combine(a.pieces()[i].value, b.pieces()[j].value)});
    const bool a_ends = i + 1 == a.pieces().size();
    const bool b_ends = j + 1 == b.pieces().size();
    if (a_ends && b_ends) {
      return TruthMap(pieces);
    }
    const Point next_a = a_ends ? kLastAddressPoint : a.pieces()[i + 1].first;
    const Point next_b = b_ends ? kLastAddressPoint : b.pieces()[j + 1].first;
    at = std::min(next_a, next_b);
    i += !a_ends && next_a == at ? 1 : 0;
    j += !b_ends && next_b == at ? 1 : 0;
  }
}

// Both connectives are associative, so neighbours are merged pairwise: a chain of n small maps
// costs n log n.
template <typename Combine>
TruthMap MergeChain(std::vector<TruthMap> operands, Combine combine) {
  while (operands.size() > 1) {
    std::vector<TruthMap> merged;
    merged.reserve((operands.size() + 1) / 2);
    for (size_t i = 0; i + 1 < operands.size(); i += 2) {
      merged.push_back(Merge(operands[i], operands[i + 1], combine));
    }
    if (operands.size() % 2 == 1) {
      merged.push_back(std::move(operands.back()));
    }
    operands = std::move(merged);
  }
  return std::move(operands.front());
}

}  // namespace

Point AddressPoint(bool is_ipv6, const IpAddress::Bytes& bytes) {
  Point point = 0;
  for (size_t i = 0; i < (is_ipv6 ? 16U : 4U); ++i) {
    point = point << 8U | bytes[i];
  }
  return is_ipv6 ? point : kFirstIpv4Point + point;
}

IpAddress AddressAt(Point point) {
  const bool is_ipv6 = !IsIpv4Point(point);
  IpAddress::Bytes bytes{};
  Point rest = is_ipv6 ? point : point - kFirstIpv4Point;
  for (size_t i = is_ipv6 ? 16 : 4; i-- > 0; rest >>= 8U) {
    bytes[i] = static_cast<uint8_t>(rest & 0xFFU);
  }
  return *IpAddress::Create(is_ipv6, bytes, is_ipv6 ? 128 : 32);
}

TruthMap::TruthMap(const std::vector<Piece>& pieces) {
  for (const Piece& piece : pieces) {
    if (pieces_.empty() || pieces_.back().value != piece.value) {
      pieces_.push_back(piece);
    }
  }
}

Truth TruthMap::At(Point point) const {
  const auto after = std::ranges::upper_bound(pieces_, point, {}, &Piece::first);
  return std::prev(after)->value;
}

TruthMap Negation(const TruthMap& operand) {
  std::vector<TruthMap::Piece> pieces = operand.pieces();
  for (TruthMap::Piece& piece : pieces) {
    if (piece.value != Truth::kError) {
      piece.value = piece.value == Truth::kTrue ? Truth::kFalse : Truth::kTrue;
    }
  }
  return TruthMap(pieces);
}

TruthMap Conjunction(std::vector<TruthMap> operands) {
  return operands.empty() ? TruthMap(Truth::kTrue) : MergeChain(std::move(operands), AndValues);
}

TruthMap Disjunction(std::vector<TruthMap> operands) {
  return operands.empty() ? TruthMap(Truth::kFalse) : MergeChain(std::move(operands), OrValues);
}

TruthMap Choice(const TruthMap& condition, const TruthMap& then_branch,
                const TruthMap& else_branch) {
  // Where the condition holds, the second operand is false; where it does not, the first is; where
  // it fails, the first does.
  const TruthMap taken = Merge(condition, then_branch, AndValues);
  const TruthMap other = Merge(condition, else_branch, [](Truth c, Truth branch) {
    return c == Truth::kFalse ? branch : Truth::kFalse;
  });
  return Merge(taken, other, OrValues);
}

}  // namespace palyra::policy
