// The kernel's array of runs, mapped into this process (bpf/abi.h, struct palyra_run).

#ifndef PALYRA_ENGINE_RUN_TABLE_H_
#define PALYRA_ENGINE_RUN_TABLE_H_

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "bpf/abi.h"

namespace palyra::engine {

// What the kernel counted for a run.
struct RunCounters {
  uint64_t denied = 0;  // Decisions that were deny.
  uint64_t lost = 0;    // Of those, without an event because the ring was full.
};

class RunTable {
 public:
  // Maps the pinned array with descriptor `map_fd`.
  static Result<RunTable> Map(int map_fd);

  RunTable(RunTable&& other) noexcept;
  RunTable& operator=(RunTable&&) = delete;
  RunTable(const RunTable&) = delete;
  RunTable& operator=(const RunTable&) = delete;
  ~RunTable();

  // Takes the slot of `cgroup`. False if another run has it: then another cgroup is needed.
  [[nodiscard]] bool Claim(uint64_t cgroup) const;

  // From now on the programs decide for `cgroup` by `profile`. The slot is claimed.
  void PutInForce(uint64_t cgroup, uint32_t profile, uint32_t ring) const;

  [[nodiscard]] RunCounters Counters(uint64_t cgroup) const;

  // Frees the slot where it is `cgroup`'s: whatever still runs there is denied every call.
  void Free(uint64_t cgroup) const;

  // Cgroup ids of all entries.
  [[nodiscard]] std::vector<uint64_t> Cgroups() const;

 private:
  explicit RunTable(palyra_run* runs) : runs_(runs) {}

  palyra_run* runs_;  // Null when moved from.
};

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_RUN_TABLE_H_
