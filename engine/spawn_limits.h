// The steps of a starting child that have to do with limits. Between clone and exec: system calls
// only; each returns 0 or an errno.

#ifndef PALYRA_ENGINE_SPAWN_LIMITS_H_
#define PALYRA_ENGINE_SPAWN_LIMITS_H_

#include <sys/resource.h>

#include <cstdint>
#include <vector>

namespace palyra::engine {

struct ProcessLimit {
  __rlimit_resource resource;
  uint64_t most;  // Soft and hard; what is lower already stays.
};

// Descriptors are borrowed.
struct SpawnLimits {
  std::vector<int> cgroup1_members;  // cgroup.procs, open for writing, of each cgroup to join.
  std::vector<ProcessLimit> process_limits;
  // In place of standard output and error; -1: as they are.
  int output = -1;
  int error_output = -1;
  // Whether the child may reach a limit of its memory before it is the command. Then it must not
  // share the supervisor's memory, because the kernel kills whoever shares a victim's.
  bool holds_memory = false;
};

// Needs root, and takes milliseconds: the kernel waits for all processors.
int JoinCgroups1(const SpawnLimits& limits);

int ReplaceOutput(const SpawnLimits& limits);

// Last: the steps before may need more.
int SetProcessLimits(const SpawnLimits& limits);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_SPAWN_LIMITS_H_
