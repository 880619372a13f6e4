// Starting the first process of a run: clone3 into its cgroup, then, in the child, the steps of its
// tier in their order, the last of which is exec. Each step that fails ends the child; nothing is
// skipped.

#ifndef PALYRA_ENGINE_SPAWN_H_
#define PALYRA_ENGINE_SPAWN_H_

#include <linux/filter.h>
#include <signal.h>
#include <sys/types.h>

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "engine/cell_root.h"
#include "engine/file_mounts.h"
#include "engine/spawn_limits.h"
#include "engine/tier.h"
#include "engine/tool_user.h"
#include "engine/unix_places.h"

namespace palyra::engine {

struct SpawnRequest {
  Tier tier = Tier::kGuard;
  int cgroup_fd = -1;
  std::vector<std::string> argv;         // Not empty.
  std::vector<std::string> environment;  // NAME=VALUE; PATH in it resolves argv[0].
  // RunRequest::executable.
  std::optional<KnownPath> executable;
  ToolUser user;
  std::optional<CellRoot> cell;  // Where the tier is one.
  std::optional<FileMounts> file_mounts;
  std::vector<std::string> control_mounts;       // Host::control_mounts.
  std::vector<std::string> control_directories;  // Host::control_directories.
  // Nobody in the run lists or reads it, uid 0 neither; empty: there is none. And what hides it.
  std::string hidden_directory;
  std::string mask;
  // Hidden by an empty directory that the run cannot write, and in that directory these; nothing
  // where empty.
  std::string private_directory;
  std::vector<UnixPlace> unix_places;
  std::span<const sock_filter> seccomp;  // Borrowed.
  // Likewise: of HoldFilter(); empty where no call waits.
  std::span<const sock_filter> hold = {};  // NOLINT(readability-redundant-member-init)
  bool holds_programs = false;             // By it: the command itself waits.
  int landlock_fd = -1;                    // -1: the kernel has no Landlock.
  SpawnLimits limits = {};                 // NOLINT(readability-redundant-member-init)
  sigset_t signal_mask = {};               // Of the child at exec.
};

// The command; in a cell its PID 1.
struct Child {
  pid_t pid = -1;
  UniqueFd pidfd;
  UniqueFd status;  // In a cell: a pipe for the command's wait status, an int, when it has ended.

  // Readable when the command has ended.
  [[nodiscard]] int end_fd() const { return status.valid() ? status.get() : pidfd.get(); }
};

struct SpawnFailure {
  SpawnStep step;
  int system_errno;
};

struct SpawnResult {
  Child child;                          // Valid when there is no failure.
  std::optional<SpawnFailure> failure;  // The child has ended, and is reaped.
  UniqueFd listener;                    // Of seccomp_unotify(2), where calls are held.
  // Of a child that waits to become the command: readable when that is over. FailureOf() says how.
  UniqueFd starting;
};

// Returns when the child has become the command, waits to, or has failed. An error is clone3's or
// the pipe's. The calling process must be single-threaded.
Result<SpawnResult> Spawn(const SpawnRequest& request);

// Of SpawnResult::starting, once it is readable. Nothing: the child has become the command, or was
// killed. Else it has ended, and is to be reaped.
Result<std::optional<SpawnFailure>> FailureOf(const UniqueFd& starting);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_SPAWN_H_
