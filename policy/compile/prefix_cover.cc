#include "policy/compile/prefix_cover.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <span>
#include <tuple>
#include <utility>

namespace palyra::policy {
namespace {

using Classes = std::vector<uint32_t>;  // Sorted.

// The classes that a subtree can be given from above at equal, least cost.
Classes Meet(const Classes& a, const Classes& b) {
  Classes met;
  std::ranges::set_intersection(a, b, std::back_inserter(met));
  if (met.empty()) {
    std::ranges::set_union(a, b, std::back_inserter(met));
  }
  return met;
}

unsigned BitWidth(Point value) {
  const auto high = static_cast<uint64_t>(value >> 64U);
  const auto low = static_cast<uint64_t>(value);
  const int width = high != 0  ? 128 - __builtin_clzll(high)
                    : low != 0 ? 64 - __builtin_clzll(low)
                               : 0;
  return static_cast<unsigned>(width);
}

// The binary trie over one family's cells. Only blocks in which classes meet are nodes.
class FamilyTrie {
 public:
  // `cells` are not empty, neighbours differ; points are relative to `base`, the family's first.
  FamilyTrie(bool is_ipv6, Point base, std::vector<AddressCell> cells)
      : is_ipv6_(is_ipv6), base_(base), cells_(std::move(cells)) {
    root_ = Build(0, width(), 0, cells_.size());
  }

  [[nodiscard]] const Classes& root_classes() const { return nodes_[root_].classes; }

  void Emit(uint32_t outside, std::vector<AddressPrefix>& prefixes) const {
    EmitNode(root_, outside, prefixes);
  }

 private:
  static constexpr size_t kNone = ~size_t{0};

  struct Node {
    Point first;
    unsigned host_bits;
    Classes classes;
    size_t left = kNone;
    size_t right = kNone;
  };

  bool is_ipv6_;
  Point base_;
  std::vector<AddressCell> cells_;
  std::vector<Node> nodes_;
  size_t root_;

  [[nodiscard]] unsigned width() const { return is_ipv6_ ? 128 : 32; }

  size_t Add(Node node) {
    nodes_.push_back(std::move(node));
    return nodes_.size() - 1;
  }

  // The block of 2^host_bits points from `first`; cells [begin, end) are those that reach into it.
  size_t Build(Point first, unsigned host_bits, size_t begin, size_t end) {
    Node node{.first = first, .host_bits = host_bits, .classes = {}};
    const uint32_t outer = cells_[begin].address_class;
    if (end - begin == 1) {
      node.classes = {outer};
      return Add(std::move(node));
    }
    // Where the block's outer cells are of one class, the smallest block around all others is
    // below a chain of blocks that are best given that class.
    const Point inner_first = cells_[begin + 1].first;
    const Point inner_last = cells_[end - 1].first - 1;
    const unsigned inner_bits = BitWidth(inner_first ^ inner_last);
    if (cells_[end - 1].address_class == outer && inner_bits + 1 < host_bits) {
      const Point block = inner_first >> inner_bits << inner_bits;
      node.classes = {outer};
      node.left = BuildPart(block, inner_bits, begin, end);
      return Add(std::move(node));
    }
    // A block of one address lies in one cell, so this one can be halved.
    // NOLINTNEXTLINE(clang-analyzer-core.BitwiseShift): it cannot see that.
    const Point half = first + (Point{1} << (host_bits - 1));
    node.left = BuildPart(first, host_bits - 1, begin, end);
    node.right = BuildPart(half, host_bits - 1, begin, end);
    node.classes = Meet(nodes_[node.left].classes, nodes_[node.right].classes);
    return Add(std::move(node));
  }

  // As Build, with cells that may lie beside the block.
  size_t BuildPart(Point first, unsigned host_bits, size_t begin, size_t end) {
    const Point last = first + ((Point{1} << host_bits) - 1);
    const auto cells = std::span(cells_).subspan(begin, end - begin);
    const auto after_first = std::ranges::upper_bound(cells, first, {}, &AddressCell::first);
    const auto after_last = std::ranges::upper_bound(cells, last, {}, &AddressCell::first);
    return Build(first, host_bits, begin + static_cast<size_t>(after_first - cells.begin()) - 1,
                 begin + static_cast<size_t>(after_last - cells.begin()));
  }

  void EmitNode(size_t index, uint32_t inherited, std::vector<AddressPrefix>& prefixes) const {
    const Node& node = nodes_[index];
    if (!std::ranges::binary_search(node.classes, inherited)) {
      inherited = node.classes.front();
      prefixes.push_back({.is_ipv6 = is_ipv6_,
                          .length = static_cast<uint8_t>(width() - node.host_bits),
                          .bytes = AddressAt(base_ + node.first).bytes(),
                          .address_class = inherited});
    }
    if (node.left != kNone) {
      EmitNode(node.left, inherited, prefixes);
    }
    if (node.right != kNone) {
      EmitNode(node.right, inherited, prefixes);
    }
  }
};

void AppendCell(std::vector<AddressCell>& cells, AddressCell cell) {
  if (cells.empty() || cells.back().address_class != cell.address_class) {
    cells.push_back(cell);
  }
}

// The cells of one family. IPv6 goes on through the points of IPv4 with what was before them.
std::vector<AddressCell> CellsOf(bool is_ipv6, const std::vector<AddressCell>& cells) {
  std::vector<AddressCell> own;
  for (size_t i = 0; i < cells.size(); ++i) {
    const Point first = cells[i].first;
    const Point last = i + 1 < cells.size() ? cells[i + 1].first - 1 : kLastAddressPoint;
    const uint32_t address_class = cells[i].address_class;
    if (!is_ipv6) {
      if (last >= kFirstIpv4Point && first <= kLastIpv4Point) {
        const Point from = std::max(first, kFirstIpv4Point) - kFirstIpv4Point;
        AppendCell(own, {.first = from, .address_class = address_class});
      }
      continue;
    }
    if (first < kFirstIpv4Point) {
      AppendCell(own, {.first = first, .address_class = address_class});
    }
    if (last > kLastIpv4Point) {
      AppendCell(own,
                 {.first = first < kFirstIpv4Point ? first : std::max(first, kLastIpv4Point + 1),
                  .address_class = address_class});
    }
  }
  return own;
}

}  // namespace

PrefixCover CoverWithPrefixes(const std::vector<AddressCell>& cells) {
  const FamilyTrie ipv4(false, kFirstIpv4Point, CellsOf(false, cells));
  const FamilyTrie ipv6(true, 0, CellsOf(true, cells));
  PrefixCover cover;
  cover.outside = Meet(ipv4.root_classes(), ipv6.root_classes()).front();
  ipv4.Emit(cover.outside, cover.prefixes);
  ipv6.Emit(cover.outside, cover.prefixes);
  std::ranges::sort(cover.prefixes, [](const AddressPrefix& a, const AddressPrefix& b) {
    return std::tie(a.is_ipv6, a.bytes, a.length) < std::tie(b.is_ipv6, b.bytes, b.length);
  });
  return cover;
}

}  // namespace palyra::policy
