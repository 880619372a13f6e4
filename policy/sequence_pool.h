// Sequences of numbers, each kept once: equal sequences have one id.

#ifndef PALYRA_POLICY_SEQUENCE_POOL_H_
#define PALYRA_POLICY_SEQUENCE_POOL_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace palyra::policy {

class SequencePool {
 public:
  struct Interned {
    uint32_t id;
    bool is_new;
  };

  // Ids are given in order, from 0.
  Interned Intern(std::span<const uint32_t> sequence);

  // Valid until the next Intern().
  [[nodiscard]] std::span<const uint32_t> operator[](uint32_t id) const {
    return std::span(words_).subspan(starts_[id], starts_[id + 1] - starts_[id]);
  }

  [[nodiscard]] size_t size() const { return hashes_.size(); }
  // How many numbers all sequences have together.
  [[nodiscard]] size_t words() const { return words_.size(); }

 private:
  void Grow();

  std::vector<uint32_t> words_;
  std::vector<size_t> starts_ = {0};  // One more than there are sequences.
  std::vector<uint32_t> hashes_;
  std::vector<uint32_t> slots_;  // Id + 1, or 0; open addressing, a power of two.
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_SEQUENCE_POOL_H_
