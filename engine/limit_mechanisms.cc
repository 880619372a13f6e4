#include "engine/limit_mechanisms.h"

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/file.h"

namespace palyra::engine {
namespace {

using Version = ControllerPlace::Version;

constexpr std::array kControllers = {Controller::kMemory, Controller::kProcesses,
                                     Controller::kProcessors, Controller::kIo};

// As cgroup v1 has it, among the options of the file system.
std::string_view NameInV1(Controller controller) {
  return controller == Controller::kIo ? "blkio" : NameOf(controller);
}

bool HasWord(std::string_view list, char separator, std::string_view wanted) {
  while (!list.empty()) {
    const size_t end = std::min(list.find_first_of(std::string{separator, '\n'}), list.size());
    if (list.substr(0, end) == wanted) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

std::string TextOf(const std::string& path) { return base::ReadFile(path).value_or(""); }

// Whether children have the controller, or can be given it.
bool CanBeGiven(const std::string& root, std::string_view name) {
  if (!HasWord(TextOf(root + "/cgroup.controllers"), ' ', name)) return false;
  if (HasWord(TextOf(root + "/cgroup.subtree_control"), ' ', name)) return true;
  // Only the root of the hierarchy may have processes beside children with controllers, and only it
  // has no events.
  const bool is_root = access((root + "/cgroup.events").c_str(), F_OK) != 0;
  return is_root || TextOf(root + "/cgroup.procs").empty();
}

// The writable mount that shows most of the hierarchy.
const MountEntry* FindV1(const std::vector<MountEntry>& mounts, std::string_view name) {
  const MountEntry* best = nullptr;
  for (const MountEntry& entry : mounts) {
    if (entry.type != "cgroup" || entry.read_only || !HasWord(entry.super_options, ',', name)) {
      continue;
    }
    if (best == nullptr || entry.root.size() < best->root.size()) best = &entry;
  }
  return best;
}

std::optional<Controller> ControllerOf(LimitKind kind) {
  switch (kind) {
    case LimitKind::kMemory:
    case LimitKind::kSwap:
      return Controller::kMemory;
    case LimitKind::kProcesses:
      return Controller::kProcesses;
    case LimitKind::kProcessors:
      return Controller::kProcessors;
    case LimitKind::kIo:
      return Controller::kIo;
    default:
      return std::nullopt;
  }
}

LimitMechanism WithoutController(LimitKind kind) {
  switch (kind) {
    case LimitKind::kMemory:
    case LimitKind::kSwap:
    case LimitKind::kProcesses:
      return LimitMechanism::kSampling;
    case LimitKind::kCpuTime:
      return LimitMechanism::kAccounting;
    case LimitKind::kOutput:
      return LimitMechanism::kRelay;
    case LimitKind::kDisk:
    case LimitKind::kOpenFiles:
      return LimitMechanism::kProcessLimit;
    case LimitKind::kProcessors:
    case LimitKind::kIo:
      return LimitMechanism::kNone;
  }
  std::unreachable();
}

// In the order of LimitKind; empty where the mechanism is none of its.
struct Texts {
  std::string_view v2;
  std::string_view v1;
  std::string_view otherwise;
};

constexpr std::array<Texts, 9> kTexts = {{
    {"cgroup v2 memory.max, memory.oom.group", "cgroup v1 memory.limit_in_bytes",
     "measured every 50 ms: what processes have mapped, without files in tmpfs"},
    {"cgroup v2 memory.swap.max", "cgroup v1 memory.memsw.limit_in_bytes",
     "measured every 50 ms, together with the memory"},
    {"cgroup v2 pids.max", "cgroup v1 pids.max", "counted every 50 ms"},
    {"cgroup v2 cpu.max", "cgroup v1 cpu.cfs_quota_us", ""},
    {"", "", "cgroup v2 cpu.stat and the supervisor's timer; RLIMIT_CPU"},
    {"cgroup v2 io.max", "cgroup v1 blkio.throttle: not what the kernel writes back later", ""},
    {"", "", "the supervisor's relay counts and passes on"},
    {"", "", "RLIMIT_FSIZE"},
    {"", "", "RLIMIT_NOFILE"},
}};

}  // namespace

std::string_view NameOf(Controller controller) {
  switch (controller) {
    case Controller::kMemory:
      return "memory";
    case Controller::kProcesses:
      return "pids";
    case Controller::kProcessors:
      return "cpu";
    case Controller::kIo:
      return "io";
  }
  std::unreachable();
}

const ControllerPlace& PlaceOf(const Controllers& controllers, Controller controller) {
  return controllers.at(static_cast<size_t>(controller));
}

Controllers FindControllers(const std::vector<MountEntry>& mounts) {
  Controllers found;
  const Result<MountEntry> cgroup2 = FindCgroup2(mounts);
  for (const Controller controller : kControllers) {
    ControllerPlace& place = found.at(static_cast<size_t>(controller));
    if (cgroup2 && CanBeGiven(cgroup2->mount_point, NameOf(controller))) {
      place.version = Version::kV2;
    } else if (const MountEntry* entry = FindV1(mounts, NameInV1(controller)); entry != nullptr) {
      place = {.version = Version::kV1, .hierarchy = entry->mount_point};
    }
  }
  return found;
}

Controllers FindControllers() {
  const Result<std::string> mountinfo = base::ReadFile("/proc/self/mountinfo");
  return mountinfo ? FindControllers(ParseMountInfo(*mountinfo)) : Controllers();
}

LimitMechanism MechanismOf(LimitKind kind, const Controllers& controllers) {
  const std::optional<Controller> controller = ControllerOf(kind);
  const Version version = controller ? PlaceOf(controllers, *controller).version : Version::kNone;
  switch (version) {
    case Version::kV2:
      return LimitMechanism::kCgroup2;
    case Version::kV1:
      return LimitMechanism::kCgroup1;
    case Version::kNone:
      return WithoutController(kind);
  }
  std::unreachable();
}

std::string_view MechanismText(LimitKind kind, LimitMechanism mechanism) {
  const Texts& texts = kTexts.at(static_cast<size_t>(kind));
  switch (mechanism) {
    case LimitMechanism::kNone:
      return kind == LimitKind::kIo ? "no io controller; runs that ask for it are refused"
                                    : "no cpu controller; runs that ask for it are refused";
    case LimitMechanism::kCgroup2:
      return texts.v2;
    case LimitMechanism::kCgroup1:
      return texts.v1;
    default:
      return texts.otherwise;
  }
}

std::string_view RemedyOf(LimitKind kind) {
  return kind == LimitKind::kIo ? "mount cgroup v2 with the io controller, or cgroup v1 with blkio"
                                : "mount cgroup v2 with the cpu controller, or cgroup v1 with cpu";
}

}  // namespace palyra::engine
