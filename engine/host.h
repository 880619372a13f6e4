// Where this machine keeps what the engine needs: the cgroup2 hierarchy, the BPF file system, and a
// directory for locks.

#ifndef PALYRA_ENGINE_HOST_H_
#define PALYRA_ENGINE_HOST_H_

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace palyra::engine {

// One line of /proc/self/mountinfo (proc_pid_mountinfo(5)), octal escapes decoded.
struct MountEntry {
  std::string root;
  std::string mount_point;
  std::string type;
  bool read_only = false;
  std::string super_options = {};  // NOLINT(readability-redundant-member-init): "rw,memory".
};

// Lines that are not as the manual page says are left out.
std::vector<MountEntry> ParseMountInfo(std::string_view text);

// The cgroup2 mount to work in: writable, and the one that shows most of the hierarchy.
// kUnsupported with the next step when there is none.
Result<MountEntry> FindCgroup2(const std::vector<MountEntry>& mounts);

struct Host {
  MountEntry cgroup2;
  std::string bpffs = "/sys/fs/bpf";
  std::string runtime_directory = "/run/palyra";    // Mode 0700: locks.
  std::string state_directory = "/var/lib/palyra";  // Policies, budgets, keys: hidden from runs.
  // Mount points of every cgroup hierarchy and of the BPF file system: what a run may not write.
  std::vector<std::string> control_mounts;
  std::vector<std::string> cgroup1_mounts;  // Those of cgroup v1 among them.
  // Likewise, directories that are no mounts: kernel settings, the locks of other runs, and the
  // operator's policies.
  std::vector<std::string> control_directories;
};

// Reads the mount table, mounts the BPF file system where it is missing, makes the runtime
// directory. Needs CAP_SYS_ADMIN; kUnsupported or kPermissionDenied with the next step otherwise.
Result<Host> PrepareHost();

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_HOST_H_
