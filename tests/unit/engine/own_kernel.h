// Palyra's kernel objects for one test program alone: a cgroup, a directory of pins and a directory
// of locks that no other run of the machine shares, so that what is left can be counted.

#ifndef PALYRA_TESTS_UNIT_ENGINE_OWN_KERNEL_H_
#define PALYRA_TESTS_UNIT_ENGINE_OWN_KERNEL_H_

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/features.h"
#include "engine/host.h"
#include "engine/kernel_objects.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace palyra::engine {

using tests::Eventually;
using tests::kPatience;

class OwnKernel {
 public:
  // The one that most tests share; made at the first call, removed at the end of the program.
  static OwnKernel& Get();

  // One more, beside it. Throws std::runtime_error where the kernel or the rights are missing.
  explicit OwnKernel(const std::string& name, Features features = Features());
  OwnKernel(const OwnKernel&) = delete;
  OwnKernel& operator=(const OwnKernel&) = delete;
  ~OwnKernel();

  [[nodiscard]] const Host& host() const { return host_; }
  [[nodiscard]] const KernelObjects& objects() const { return *objects_; }
  [[nodiscard]] Features& features() { return features_; }

  // A cgroup directory for what a test does without the engine; not made yet.
  [[nodiscard]] std::string CgroupPath(const std::string& name) const {
    return host_.cgroup2.mount_point + '/' + name;
  }

  // Names of the runs' cgroups.
  [[nodiscard]] std::vector<std::string> Runs() const;

  // How many entries each table has that belong to runs, or to a profile being written.
  [[nodiscard]] std::map<std::string, size_t> Entries() const;

  // How many entries each table has that belong to profiles.
  [[nodiscard]] std::map<std::string, size_t> ProfileEntries() const;

  // Every entry belongs to a complete profile, none is missing, and idle profiles are within their
  // bounds.
  [[nodiscard]] bool HoldsWholeProfilesOnly() const;

 private:
  Features features_;
  Host host_;
  tests::TempDir runtime_;
  std::optional<KernelObjects> objects_;
};

// Of a kernel that has neither BPF LSM nor programs for unix sockets: for tests of what does not
// depend on them, because under emulation it takes seconds to load them.
Features CgroupProgramsAlone();

// Forks a process into the cgroup directory `path`; there it runs `body` and exits with 0. It has
// no descriptors above 2 but `kept`, so it holds no lock of its parent. Returns once it is inside.
pid_t StartInCgroup(const std::string& path, const std::function<void()>& body, int kept = -1);

// Kills and reaps a child.
void End(pid_t child);

// No process is in the cgroup directory or below it.
bool IsEmptyCgroup(const std::string& path);

[[noreturn]] void SleepForever();

}  // namespace palyra::engine

#endif  // PALYRA_TESTS_UNIT_ENGINE_OWN_KERNEL_H_
