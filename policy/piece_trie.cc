#include "policy/piece_trie.h"

#include <algorithm>
#include <string>

#include "policy/text.h"

namespace palyra::policy {
namespace {

bool CanStandInText(std::string_view piece) {
  return piece.find('\0') == std::string_view::npos && !FindInvalidUtf8(piece);
}

uint8_t ByteAt(std::string_view text, size_t at) { return static_cast<uint8_t>(text[at]); }

}  // namespace

void PieceList::Add(const Pattern& pattern, uint32_t label) {
  if (!std::ranges::all_of(pattern.pieces, CanStandInText)) return;
  const size_t last = pattern.pieces.size() - 1;
  for (size_t i = 0; i <= last; ++i) {
    const std::string_view text = pattern.pieces[i];
    // Between two stars, nothing says nothing.
    if (text.empty() && i != 0 && i != last) continue;
    pieces_.push_back({.text = text,
                       .pattern = patterns_,
                       .label = label,
                       .is_first = i == 0,
                       .is_last = i == last});
  }
  ++patterns_;
}

std::optional<uint32_t> PieceForest::Add(std::span<const uint32_t> members, size_t limit) {
  const auto root = static_cast<uint32_t>(nodes_.size());
  const auto first = static_cast<uint32_t>(members_.size());
  members_.insert(members_.end(), members.begin(), members.end());
  std::sort(members_.begin() + first, members_.end(), [&](uint32_t a, uint32_t b) {
    const int order = pieces_[a].text.compare(pieces_[b].text);
    return order != 0 ? order < 0 : a < b;
  });
  nodes_.push_back({.trie = root,
                    .first_child = 0,
                    .child_count = 0,
                    .depth = 0,
                    .first = first,
                    .longer = first,
                    .end = static_cast<uint32_t>(members_.size()),
                    .byte = 0});
  for (uint32_t node = root; node < nodes_.size(); ++node) {
    if (nodes_.size() > limit) return std::nullopt;
    AddChildren(node);
  }
  return root;
}

void PieceForest::AddChildren(uint32_t parent) {
  Node node = nodes_[parent];
  while (node.longer < node.end && pieces_[members_[node.longer]].text.size() == node.depth) {
    ++node.longer;
  }
  node.first_child = static_cast<uint32_t>(nodes_.size());
  for (uint32_t at = node.longer; at < node.end;) {
    const uint8_t byte = ByteAt(pieces_[members_[at]].text, node.depth);
    const uint32_t first = at;
    while (at < node.end && ByteAt(pieces_[members_[at]].text, node.depth) == byte) ++at;
    nodes_.push_back({.trie = node.trie,
                      .first_child = 0,
                      .child_count = 0,
                      .depth = node.depth + 1,
                      .first = first,
                      .longer = first,
                      .end = at,
                      .byte = byte});
  }
  node.child_count = static_cast<uint32_t>(nodes_.size()) - node.first_child;
  nodes_[parent] = node;
}

std::optional<uint32_t> PieceForest::SameText(uint32_t node, uint32_t root) const {
  const std::string_view text =
      pieces_[members_[nodes_[node].first]].text.substr(0, nodes_[node].depth);
  uint32_t at = root;
  for (const char c : text) {
    const auto begin = nodes_.begin() + nodes_[at].first_child;
    const auto end = begin + nodes_[at].child_count;
    const auto child =
        std::ranges::lower_bound(begin, end, static_cast<uint8_t>(c), {}, &Node::byte);
    if (child == end || child->byte != static_cast<uint8_t>(c)) return std::nullopt;
    at = static_cast<uint32_t>(child - nodes_.begin());
  }
  return at;
}

}  // namespace palyra::policy
