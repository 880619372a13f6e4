// The states of the automaton of many patterns, as sets of what may follow.
//
// A pattern whose first star is reached waits for one of its later pieces, from any place on; what
// it has waited for before is no longer of interest. So a state is
//   - for each such pattern the piece that it waits for (`waiting`),
//   - the labels of the patterns that match whatever follows (`matched`),
//   - how far pieces have been read that are not complete: nodes of the trie of all first pieces,
//     and of the trie of the waiting ones (`nodes`).

#ifndef PALYRA_POLICY_SUBSET_STATES_H_
#define PALYRA_POLICY_SUBSET_STATES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "policy/piece_trie.h"
#include "policy/sequence_pool.h"

namespace palyra::policy {

class SubsetStates {
 public:
  // Where a byte leads from a state: nodes that it reaches.
  struct Step {
    uint8_t byte;
    std::vector<uint32_t> nodes;
  };

  // `universe` is the label of the pattern that every text must match; texts that no longer can
  // are all in one state. It is the last pattern of all, and no other has its label, which is the
  // greatest. `label_count` is greater than every label. `pieces` outlives the object.
  SubsetStates(const PieceList& pieces, uint32_t label_count, std::optional<uint32_t> universe);

  // The following stop early once IsExhausted(); what they return means nothing then.

  // The state before the first byte: 0.
  void AddStart();

  // The bytes that lead elsewhere than all others do, ascending.
  void StepsOf(uint32_t state, std::vector<Step>& steps) const;

  // The state after a byte of `state` that leads to `nodes`. It may be new: new states have the
  // next number.
  uint32_t After(uint32_t state, std::vector<uint32_t>& nodes);

  [[nodiscard]] size_t size() const { return states_.size(); }

  // The labels of the patterns that match the texts which end in `state`, ascending; nothing where
  // those texts are outside the universe.
  [[nodiscard]] std::optional<std::vector<uint32_t>> LabelsAt(uint32_t state) const;

  // In how many states each piece is waited for.
  [[nodiscard]] std::vector<size_t> StatesThatWait() const;

  // kMaxAutomatonWork or kMaxPatternNodes is reached.
  [[nodiscard]] bool IsExhausted() const { return exhausted_; }

 private:
  // Ids of sequences.
  struct Sets {
    uint32_t waiting;
    uint32_t matched;
  };

  uint32_t Enter(Sets sets, std::vector<uint32_t>& nodes);
  void Complete(const std::vector<uint32_t>& nodes, Sets& sets);
  void Advance(uint32_t piece, std::vector<uint32_t>& waiting, std::vector<uint32_t>& matched);
  void SettleNodes(const Sets& sets, std::vector<uint32_t>& nodes);
  [[nodiscard]] bool IsLive(const Sets& sets, const std::vector<uint32_t>& nodes) const;
  [[nodiscard]] bool IsSpent(const PieceForest::Node& node) const;
  uint32_t InternWaiting(const std::vector<uint32_t>& waiting);
  void Charge(size_t work);

  const PieceList& pieces_;
  PieceForest forest_;
  uint32_t first_trie_ = 0;
  std::optional<uint32_t> universe_;
  std::vector<uint32_t> patterns_of_label_;  // How many there are.

  SequencePool waiting_;
  std::vector<uint32_t> trie_of_waiting_;
  SequencePool matched_;
  SequencePool states_;  // Waiting, matched, nodes; or the one state outside the universe.
  size_t work_ = 0;
  bool exhausted_ = false;
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_SUBSET_STATES_H_
