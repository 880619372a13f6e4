// What the processes of a run use, as the kernel has counted it.

#ifndef PALYRA_ENGINE_TREE_USAGE_H_
#define PALYRA_ENGINE_TREE_USAGE_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "engine/cgroup.h"

namespace palyra::engine {

// The number after `name` in lines of "name number", as cgroup files and /proc/PID/status have
// them; nothing where it is not there.
std::optional<uint64_t> NumberAfter(std::string_view text, std::string_view name);

// Of all processes that are or were in it (cpu.stat, which needs no controller).
Result<std::chrono::microseconds> CpuTimeOf(const Cgroup& cgroup);

// Processes and threads that are in it now.
Result<uint64_t> CountThreads(const Cgroup& cgroup);

// Bytes that its processes have mapped, what several of them share counted once, with what is
// swapped out. Exact where it is more than `enough`; where a cheap bound is not, that bound. What
// ends meanwhile counts as nothing.
uint64_t MappedMemoryOf(const Cgroup& cgroup, uint64_t enough);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_TREE_USAGE_H_
