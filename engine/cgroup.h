// Cgroups of runs (cgroup v2): making, killing, waiting for and removing them.

#ifndef PALYRA_ENGINE_CGROUP_H_
#define PALYRA_ENGINE_CGROUP_H_

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace palyra::engine {

class Cgroup {
 public:
  // Makes the directory `path` (its parent exists) and opens it. kUnavailable if it exists.
  static Result<Cgroup> Create(const std::string& path);
  // Opens an existing one.
  static Result<Cgroup> Open(const std::string& path);

  [[nodiscard]] int fd() const { return fd_.get(); }
  // The kernel's 64-bit id, as BPF programs see it (bpf_get_current_cgroup_id).
  [[nodiscard]] uint64_t id() const { return id_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  Cgroup(std::string path, UniqueFd fd, uint64_t id);

  std::string path_;
  UniqueFd fd_;
  uint64_t id_;
};

enum class KillMethod {
  kCgroupKill,  // cgroup.kill: the kernel kills the subtree, forks included.
  kTreeKill,    // Freeze where possible, then SIGKILL every member until none is left.
};

// cgroup.kill exists below `cgroup_directory` (kernel 5.14 and later).
bool HasCgroupKill(const std::string& cgroup_directory);

// How to kill what is below it.
KillMethod KillMethodOf(const std::string& cgroup_directory);

// Kills every process below `cgroup`, however it was forked, and waits until none is left.
// kUnavailable if some are still there after `limit` (uninterruptible sleep).
Result<void> KillCgroup(const Cgroup& cgroup, KillMethod method, std::chrono::milliseconds limit);

// The processes in the cgroup `path`, without those of its sub-cgroups; none where it is gone.
std::vector<pid_t> MembersOf(const std::string& path);

// Removes the empty cgroup with every sub-cgroup. Absence is success.
Result<void> RemoveCgroup(const std::string& path);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_CGROUP_H_
