// The BPF LSM programs about files, programs and processes: bpf/files.bpf.c.

#ifndef PALYRA_ENGINE_FILE_PROGRAMS_H_
#define PALYRA_ENGINE_FILE_PROGRAMS_H_

#include <cstdint>
#include <string>

#include "base/result.h"
#include "engine/features.h"
#include "engine/host.h"
#include "engine/kernel_objects.h"
#include "policy/rule_set.h"

namespace palyra::engine {

struct FileAttachRequest {
  unsigned run_level;         // Level of the runs' cgroups in the whole hierarchy.
  uint64_t cgroup_id;         // Of the cgroup above them.
  bool with_digests;          // Those too that ask for the digest of a program.
  std::string pin_directory;  // Holds the pinned maps of the other programs.
};

// Loads those that this kernel has hooks for, attaches them, and pins their links and the maps that
// only they have. A hook that every supported kernel has and this one has not is an error. On
// failure the caller removes the directory's pins; nothing else is left.
Result<void> AttachFilePrograms(const FileAttachRequest& request);

// By what is pinned in that directory.
bool HasPinnedFilePrograms(const std::string& pin_directory);
bool HasPinnedDigestPrograms(const std::string& pin_directory);

// Whether policies that speak of files, programs or processes can be held on this machine, once its
// programs are installed.
bool CanJudgeFiles(const Host& host, Features& features);
bool CanJudgeDigests(const Host& host, Features& features);

// kRefused with FILE-DIGEST where the digest of a program makes a difference, for a kernel that
// does not tell it.
Result<void> RefuseDigests(const policy::RuleSet& rules);

// kRefused with a code where rules speak of what is not held here: FILE-KERNEL without those
// programs, FILE-DIGEST without those about digests.
Result<void> RequireFilePrograms(const KernelObjects& objects, const policy::RuleSet& rules);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_FILE_PROGRAMS_H_
