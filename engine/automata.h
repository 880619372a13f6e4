// The memory of the kernel's automata: which places in it are taken, and what lies there.

#ifndef PALYRA_ENGINE_AUTOMATA_H_
#define PALYRA_ENGINE_AUTOMATA_H_

#include <span>
#include <vector>

#include "base/result.h"
#include "bpf/abi.h"
#include "engine/kernel_objects.h"
#include "engine/table_image.h"

namespace palyra::engine {

// Shares that memory with the programs as long as it lives.
class AutomataMemory {
 public:
  static Result<AutomataMemory> Map(const KernelObjects& objects);

  AutomataMemory(AutomataMemory&& other) noexcept;
  AutomataMemory& operator=(AutomataMemory&& other) = delete;
  ~AutomataMemory();

  [[nodiscard]] std::span<palyra_entry> entries() const { return arena_->entries; }

 private:
  explicit AutomataMemory(palyra_arena* arena) : arena_(arena) {}

  palyra_arena* arena_;
};

// Takes a place for each automaton of `rules`, equal ones share one, and writes `name_rules` and
// the automata. Nobody may be under that profile yet. kExhausted: no room. On failure the caller
// removes the entries of the profile. Under the lock of the profiles, of either kind.
Result<void> UploadNameRules(const KernelObjects& objects,
                             const std::vector<NameRulesImage>& rules);

// How many entries of `automata` they take.
uint32_t AutomataEntries(const std::vector<NameRulesImage>& rules);

// The name rules of one profile, by action, found by looking for each; automata that are damaged
// are left out of them. Under the lock of the profiles.
Result<std::vector<NameRulesImage>> ReadNameRules(const KernelObjects& objects, uint32_t profile);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_AUTOMATA_H_
