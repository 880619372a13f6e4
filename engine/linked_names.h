// Files that policies protect by name and that have other names too, which were made before the
// run.
//
// A file is judged by the name that led to it (bpf/path.h). So each file that a forbid names, or
// that lies in a directory which a forbid names, and that has more than one link, is known to the
// run by that name: whatever leads to it, the rules are asked about that name as well, and the
// strictest answer counts. Map `linked_names`; the programs know a file by its inode, which stays
// where it is as long as somebody holds the file open.
//
// Files behind patterns, and what gets its protected name during the run, are not known so.

#ifndef PALYRA_ENGINE_LINKED_NAMES_H_
#define PALYRA_ENGINE_LINKED_NAMES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "engine/kernel_objects.h"
#include "policy/rule_set.h"

namespace palyra::engine {

struct LinkedFile {
  std::string path;  // Its protected name.
  UniqueFd fd;       // O_PATH
};

struct LinkedFiles {
  std::vector<LinkedFile> files;
  // Of the protected names those behind which there is more to look at than the limits, or what
  // cannot be read.
  std::vector<std::string> left_out;
  // This process could not open more files: what was found is not all.
  bool is_exhausted = false;
};

struct LinkLimits {
  size_t in_directory = 2'000;  // Files and directories looked at below one protected name.
  size_t in_all = 10'000;
  size_t files = 200;  // That have other names; each stays open.
};

// A few microseconds for each protected name.
LinkedFiles FindLinkedFiles(const policy::RuleSet& rules, const LinkLimits& limits = {});

// kExhausted where what was found is not all.
Result<void> RequireAll(const LinkedFiles& found);

// Makes them known to the run with that cgroup, before anything runs under rules that protect them.
// kRefused with FILE-LINKED where there are more than the programs look at. The files stay open
// until the run has ended.
Result<void> AddLinkedNames(const KernelObjects& objects, uint64_t run,
                            const std::vector<LinkedFile>& files);

void RemoveLinkedNamesOf(const KernelObjects& objects, uint64_t run);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_LINKED_NAMES_H_
