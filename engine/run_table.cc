#include "engine/run_table.h"

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <utility>

namespace palyra::engine {
namespace {

constexpr size_t kMappedBytes = sizeof(palyra_run) * PALYRA_MAX_RUNS;

// The programs and other supervisors see the same memory.
template <typename T>
std::atomic_ref<T> Shared(T& field) {
  return std::atomic_ref<T>(field);
}

}  // namespace

Result<RunTable> RunTable::Map(int map_fd) {
  void* memory = mmap(nullptr, kMappedBytes, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
  if (memory == MAP_FAILED) return FailErrno(errno, "cannot map the kernel table \"runs\"");
  return RunTable(static_cast<palyra_run*>(memory));
}

RunTable::RunTable(RunTable&& other) noexcept : runs_(std::exchange(other.runs_, nullptr)) {}

RunTable::~RunTable() {
  if (runs_ != nullptr) munmap(runs_, kMappedBytes);
}

bool RunTable::Claim(uint64_t cgroup) const {
  __u64 free = 0;
  return Shared(runs_[palyra_run_slot(cgroup)].cgroup).compare_exchange_strong(free, cgroup);
}

void RunTable::PutInForce(uint64_t cgroup, uint32_t profile, uint32_t ring) const {
  palyra_run& run = runs_[palyra_run_slot(cgroup)];
  Shared(run.denied).store(0);
  Shared(run.lost).store(0);
  Shared(run.ring).store(ring);
  Shared(run.profile).store(profile);
}

RunCounters RunTable::Counters(uint64_t cgroup) const {
  palyra_run& run = runs_[palyra_run_slot(cgroup)];
  return {.denied = Shared(run.denied).load(), .lost = Shared(run.lost).load()};
}

void RunTable::Free(uint64_t cgroup) const {
  palyra_run& run = runs_[palyra_run_slot(cgroup)];
  if (Shared(run.cgroup).load() != cgroup) return;
  // No profile has id 0: between the two stores everything is denied.
  Shared(run.profile).store(0);
  Shared(run.cgroup).store(0);
}

std::vector<uint64_t> RunTable::Cgroups() const {
  std::vector<uint64_t> cgroups;
  for (size_t slot = 0; slot < PALYRA_MAX_RUNS; ++slot) {
    const uint64_t cgroup = Shared(runs_[slot].cgroup).load();
    if (cgroup != 0) cgroups.push_back(cgroup);
  }
  return cgroups;
}

}  // namespace palyra::engine
