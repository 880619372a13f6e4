// By what each limit is held on this machine. The controllers of cgroup v2 come first, then those
// of v1 where they belong to its hierarchies, then what the supervisor and each process can hold.

#ifndef PALYRA_ENGINE_LIMIT_MECHANISMS_H_
#define PALYRA_ENGINE_LIMIT_MECHANISMS_H_

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "engine/host.h"
#include "engine/run_limits.h"

namespace palyra::engine {

enum class Controller { kMemory, kProcesses, kProcessors, kIo };
inline constexpr size_t kControllerCount = 4;

// "memory", "pids", "cpu", "io": as cgroup v2 has it.
std::string_view NameOf(Controller controller);

struct ControllerPlace {
  enum class Version { kNone, kV1, kV2 };
  Version version = Version::kNone;
  std::string hierarchy;  // Of v1: where it is mounted.
  bool operator==(const ControllerPlace&) const = default;
};

using Controllers = std::array<ControllerPlace, kControllerCount>;

const ControllerPlace& PlaceOf(const Controllers& controllers, Controller controller);

// Where they can be used: a v2 controller that has to be given to children first, and cannot be
// because processes live beside them, is none. Reads only; `mounts` are ParseMountInfo()'s.
Controllers FindControllers(const std::vector<MountEntry>& mounts);

// On this machine.
Controllers FindControllers();

enum class LimitMechanism {
  kNone,         // The limit is not held, and a run that asks for it is refused.
  kCgroup2,      // A controller in the run's cgroup.
  kCgroup1,      // One of cgroup v1, in a cgroup beside the run's.
  kAccounting,   // The kernel counts, and the supervisor ends the run in time.
  kSampling,     // The supervisor measures the processes again and again.
  kRelay,        // The supervisor passes the bytes on.
  kProcessLimit  // setrlimit(2)
};

LimitMechanism MechanismOf(LimitKind kind, const Controllers& controllers);

// For a report: "cgroup v2 memory.max, memory.oom.group".
std::string_view MechanismText(LimitKind kind, LimitMechanism mechanism);

// What to do where none holds it.
std::string_view RemedyOf(LimitKind kind);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_LIMIT_MECHANISMS_H_
