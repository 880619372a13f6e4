// The literal pieces of `like` patterns, and tries over sets of them.

#ifndef PALYRA_POLICY_PIECE_TRIE_H_
#define PALYRA_POLICY_PIECE_TRIE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "policy/ast.h"

namespace palyra::policy {

// One piece of a pattern. The pieces of a pattern follow one another.
struct Piece {
  std::string_view text;
  uint32_t pattern;  // The same number for all pieces of one pattern.
  uint32_t label;    // What a match of the pattern is called.
  bool is_first;     // It stands at the beginning of a text. Others stand anywhere behind a `*`.
  bool is_last;      // It stands at the end of a text.
};

class PieceList {
 public:
  // `pattern` outlives the list. One that no text can match, because it has NUL or is not UTF-8,
  // adds nothing.
  void Add(const Pattern& pattern, uint32_t label);

  [[nodiscard]] const Piece& operator[](uint32_t piece) const { return pieces_[piece]; }
  [[nodiscard]] uint32_t size() const { return static_cast<uint32_t>(pieces_.size()); }

  // After the piece any text at all matches: a last piece that is empty.
  [[nodiscard]] bool IsEndless(uint32_t piece) const {
    return pieces_[piece].is_last && !pieces_[piece].is_first && pieces_[piece].text.empty();
  }

 private:
  std::vector<Piece> pieces_;
  uint32_t patterns_ = 0;
};

// Tries share one array of nodes; a node of any of them has one number.
class PieceForest {
 public:
  struct Node {
    uint32_t trie;         // The number of its trie's root.
    uint32_t first_child;  // Children follow one another, ascending by byte.
    uint32_t child_count;
    uint32_t depth;
    // Members of the trie with this prefix: [first, end) of members(); those that end here come
    // first, before `longer`.
    uint32_t first;
    uint32_t longer;
    uint32_t end;
    uint8_t byte;  // By which it is reached.
  };

  explicit PieceForest(const PieceList& pieces) : pieces_(pieces) {}

  // Makes the trie of `members` and returns its root; nothing where more than `limit` nodes would
  // be there.
  std::optional<uint32_t> Add(std::span<const uint32_t> members, size_t limit);

  [[nodiscard]] const Node& operator[](uint32_t node) const { return nodes_[node]; }
  [[nodiscard]] std::span<const uint32_t> Members(uint32_t first, uint32_t end) const {
    return std::span(members_).subspan(first, end - first);
  }
  // The node of the text that leads to `node`, in the trie of `root`; nothing where it has none.
  [[nodiscard]] std::optional<uint32_t> SameText(uint32_t node, uint32_t root) const;

 private:
  void AddChildren(uint32_t parent);

  const PieceList& pieces_;
  std::vector<Node> nodes_;
  std::vector<uint32_t> members_;
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_PIECE_TRIE_H_
