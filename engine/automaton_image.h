// An automaton as the kernel walks it: the entries of bpf/abi.h, and where it may lie among them.

#ifndef PALYRA_ENGINE_AUTOMATON_IMAGE_H_
#define PALYRA_ENGINE_AUTOMATON_IMAGE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "bpf/abi.h"
#include "policy/automaton.h"

namespace palyra::engine {

// Immutable; it does not depend on the place where it will lie, and is equal for equal automata.
class AutomatonImage {
 public:
  // kExhausted where the kernel's array could not hold it even if it were alone there.
  static Result<AutomatonImage> Pack(const policy::Automaton& automaton);

  // How many entries it takes, of sizeof(palyra_entry) each.
  [[nodiscard]] size_t entry_count() const { return entries_.size() + PALYRA_AUTOMATON_HEADER; }

  // Writes it to arena[place], which is what programs know it by, and the entries that follow.
  // Nobody may be walking there. `place` is at least 1, and all of it lies within `arena`.
  void WriteTo(std::span<palyra_entry> arena, uint32_t place) const;

  // What lies at arena[place] and takes `entry_count` entries. kInternal where that is no
  // automaton.
  static Result<AutomatonImage> ReadFrom(std::span<const palyra_entry> arena, uint32_t place,
                                         uint32_t entry_count);

  // The automaton that it is of. kInternal where its entries contradict each other.
  [[nodiscard]] Result<policy::Automaton> Unpack() const;

  // Equal entries: of equal automata, and untouched.
  bool operator==(const AutomatonImage& other) const;

  // The number in the automaton of what is a state, without PALYRA_SINK, to programs. Not of one
  // that was read.
  [[nodiscard]] uint32_t StateAt(uint32_t offset, uint32_t place) const;

 private:
  AutomatonImage() = default;

  std::vector<palyra_entry> entries_;  // As if the header lay at 0; those behind it.
  std::vector<uint32_t> state_at_;     // By entry.
  palyra_automaton header_ = {};
};

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_AUTOMATON_IMAGE_H_
