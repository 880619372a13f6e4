// Starting the first process of a run: clone3 into its cgroup, then, in the child, every
// restriction in a fixed order, then exec. Each step that fails ends the child; nothing is skipped.

#ifndef PALYRA_ENGINE_SPAWN_H_
#define PALYRA_ENGINE_SPAWN_H_

#include <linux/filter.h>
#include <signal.h>
#include <sys/types.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "engine/file_mounts.h"
#include "engine/tool_user.h"
#include "engine/unix_places.h"

namespace palyra::engine {

// In the order in which the child takes them.
enum class SpawnStep : int {
  kSessionKeyring,        // A new one: the caller's keys are not inherited.
  kMountNamespace,        // Private, so that the next step stays inside.
  kFileMounts,            // The run's view of files, where no program judges them.
  kProtectControlMounts,  // cgroup and BPF file systems, /proc/sys, our locks: read-only.
  kUnixPlaces,            // A directory of the run's own, with the sockets that it may use.
  kBoundingSet,           // Capabilities that no exec can give back.
  kSecureBits,            // uid 0 means nothing to exec.
  kUser,                  // Groups, gid, uid.
  kCapabilities,          // All sets empty.
  kParentDeath,           // SIGKILL when the supervisor dies.
  kNoNewPrivileges,
  kLandlock,
  kDescriptors,  // Everything above 2 is closed.
  kSeccomp,
  kExec,
};

// "close inherited descriptors", …: for messages.
std::string_view SpawnStepName(SpawnStep step);

struct SpawnRequest {
  int cgroup_fd = -1;
  std::vector<std::string> argv;         // Not empty.
  std::vector<std::string> environment;  // NAME=VALUE; PATH in it resolves argv[0].
  ToolUser user;
  std::optional<FileMounts> file_mounts;
  std::vector<std::string> control_mounts;       // Host::control_mounts.
  std::vector<std::string> control_directories;  // Host::control_directories.
  // Hidden by an empty directory that the run cannot write, and in that directory these; nothing
  // where empty.
  std::string private_directory;
  std::vector<UnixPlace> unix_places;
  std::span<const sock_filter> seccomp;  // Borrowed.
  int landlock_fd = -1;                  // -1: the kernel has no Landlock.
  sigset_t signal_mask = {};             // Of the child at exec.
};

struct Child {
  pid_t pid = -1;
  UniqueFd pidfd;
};

struct SpawnFailure {
  SpawnStep step;
  int system_errno;
};

struct SpawnResult {
  Child child;                          // Valid when there is no failure.
  std::optional<SpawnFailure> failure;  // The child has ended, and is reaped.
};

// Returns when the child has become the command or has failed. An error is clone3's or the pipe's.
// The calling process must be single-threaded.
Result<SpawnResult> Spawn(const SpawnRequest& request);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_SPAWN_H_
