// The kernel side as it stands on this machine: programs attached once, above the cgroups of all
// runs, with links and maps pinned below /sys/fs/bpf/palyra/<generation>/.
//
// A generation is one build's programs and ABI. Two generations share neither maps nor cgroups, so
// a new version attaches beside the old until the old one's runs have ended.

#ifndef PALYRA_ENGINE_KERNEL_OBJECTS_H_
#define PALYRA_ENGINE_KERNEL_OBJECTS_H_

#include <array>
#include <chrono>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "engine/features.h"
#include "engine/host.h"
#include "engine/run_table.h"
#include "engine/unix_programs.h"

namespace palyra::engine {

// Pinned maps, by the names of bpf/.
enum class Table {
  kRuns,
  kProfiles,
  kDigests,
  kUnfinished,
  kAddresses4,
  kAddresses6,
  kHosts4,
  kHosts6,
  kRows,
  kReasons,
  kRingOwners,
  kRings,
  kGrants,
  kFlows,
  kNames,
  kRedirects,
  kBrokers,
  kRelayed,
  kAudited,
  kNameRules,
  kNameLeaves,
  kProgramDigests,
  kLinkedNames,
  kPathGrants,
  kAutomata,
  kUnixSockets,
};
inline constexpr size_t kTableCount = 26;

const char* TableName(Table table);

// What is held by programs that not every kernel takes.
struct Judges {
  bool families = false;  // BPF LSM: socket families, for io_uring too.
  UnixJudge unix_sockets = UnixJudge::kNone;
  bool files = false;    // BPF LSM: rules about files, programs and processes.
  bool digests = false;  // And IMA: those that tell programs apart by digest.
  bool operator==(const Judges&) const = default;
};

// What an installation on this machine comes to.
Judges JudgesFor(Features& features);

class KernelObjects {
 public:
  // Opens this build's objects, installing them first where they are missing or no longer attached.
  // Afterwards every program is attached to `cgroup_path()`. Installing holds a lock in the runtime
  // directory, so that concurrent calls do it once. `features` is asked only for installing.
  static Result<KernelObjects> Open(const Host& host, Features& features);

  [[nodiscard]] int fd(Table table) const { return tables_[static_cast<size_t>(table)].get(); }

  [[nodiscard]] const RunTable& runs() const { return *runs_; }

  // The cgroup that the programs are attached to; runs are its children.
  [[nodiscard]] const std::string& cgroup_path() const { return cgroup_path_; }
  // A BPF LSM program holds the socket families: for io_uring too, which seccomp does not see.
  [[nodiscard]] bool lsm_attached() const { return lsm_attached_; }
  [[nodiscard]] UnixJudge unix_judge() const { return unix_judge_; }
  // Rules about files, programs and processes are held.
  [[nodiscard]] bool judges_files() const { return judges_files_; }
  // And those that tell programs apart by digest.
  [[nodiscard]] bool judges_digests() const { return judges_digests_; }
  // All of these.
  [[nodiscard]] Judges judges() const {
    return {.families = lsm_attached_,
            .unix_sockets = unix_judge_,
            .files = judges_files_,
            .digests = judges_digests_};
  }
  // Where links and maps are pinned.
  [[nodiscard]] const std::string& pin_path() const { return pin_path_; }

  // Held while the profile or the deadline of an entry of `runs` changes, and while one is freed:
  // nobody puts rules in force for a run that has ended, whose slot may be another's. Never for
  // longer than a few microseconds. flock(2); after LockProfiles() where both are needed.
  [[nodiscard]] Result<UniqueFd> LockRuns() const;

  // Held while places in `automata` are taken. flock(2), never for longer than some microseconds;
  // after LockProfiles() where both are needed.
  [[nodiscard]] Result<UniqueFd> LockAutomata() const;

  // kShared: no profile is removed meanwhile, so one that was found can be put in force.
  // kExclusive: nobody else is writing a profile or about to put one in force. flock(2);
  // kUnavailable where others hold it for longer than `patience`.
  enum class ProfileLock { kShared, kExclusive };
  [[nodiscard]] Result<UniqueFd> LockProfiles(ProfileLock kind,
                                              std::chrono::milliseconds patience) const;

 private:
  KernelObjects() = default;

  static Result<KernelObjects> TryOpen(const Host& host, Features& features);
  [[nodiscard]] Result<UniqueFd> LockFile(const char* name) const;

  std::string cgroup_path_;
  std::string pin_path_;
  std::string runtime_directory_;
  std::array<UniqueFd, kTableCount> tables_;
  std::optional<RunTable> runs_;
  bool lsm_attached_ = false;
  UnixJudge unix_judge_ = UnixJudge::kNone;
  bool judges_files_ = false;
  bool judges_digests_ = false;
};

// Directories that hold every generation's objects.
std::string PalyraCgroup(const Host& host);
std::string PalyraPins(const Host& host);

// Name of this build's generation, e.g. "v1-5f3a9c01".
const char* GenerationName();

// Held while kernel objects are installed or removed, and while entries of dead runs are. flock(2).
Result<UniqueFd> LockKernelObjects(const Host& host);

// Detaches and unpins generation `name` and removes its cgroup. Only for one without runs.
Result<void> RemoveGeneration(const Host& host, const std::string& name);

// Level of the calling process's cgroup, counted from the root of the whole hierarchy even inside a
// cgroup namespace. Asks the kernel by running a small program once.
Result<unsigned> OwnCgroupLevel();

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_KERNEL_OBJECTS_H_
