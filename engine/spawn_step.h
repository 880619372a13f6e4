// The steps that a process takes between clone(2) and the command of a run. engine/tier.h says
// which of them each tier takes.

#ifndef PALYRA_ENGINE_SPAWN_STEP_H_
#define PALYRA_ENGINE_SPAWN_STEP_H_

#include <string_view>

namespace palyra::engine {

enum class SpawnStep : int {
  kLimitCgroups,          // Those that a child joins by itself, while it is root.
  kSessionKeyring,        // A new one: the caller's keys are not inherited.
  kNamespaces,            // Of System V IPC, host name, cgroups, and the network where sealed.
  kMountNamespace,        // Private, so that the following stay inside.
  kUnixSockets,           // Those that it may use are found in the host's file system.
  kCellRoot,              // A root directory of its own.
  kFileMounts,            // The run's view of files, where no program judges them.
  kProtectControlMounts,  // cgroup and BPF file systems, /proc/sys, our locks: read-only.
  kUnixPlaces,            // A directory of the run's own, with those unix sockets.
  kBoundingSet,           // Capabilities that no exec can give back.
  kSecureBits,            // uid 0 means nothing to exec.
  kUser,                  // Groups, gid, uid.
  kCapabilities,          // All sets empty.
  kParentDeath,           // SIGKILL when the supervisor dies.
  kNoNewPrivileges,
  kLandlock,
  kInit,         // This process goes on as PID 1, and a child of it takes what follows.
  kOutput,       // Pipes, where output is counted.
  kDescriptors,  // Everything above 2 is closed.
  kProcessLimits,
  kSeccomp,
  kHold,  // Calls that wait for the supervisor, which is sent what it hears of them by.
  kExec,
};

// "close inherited descriptors", …: for messages.
std::string_view SpawnStepName(SpawnStep step);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_SPAWN_STEP_H_
