// The BPF programs that hold runs, as the kernel knows them.

#ifndef PALYRA_ENGINE_PROGRAM_TAGS_H_
#define PALYRA_ENGINE_PROGRAM_TAGS_H_

#include <string>
#include <vector>

#include "base/result.h"

namespace palyra::engine {

struct ProgramTag {
  std::string name;  // Of the hook that its link is pinned by.
  std::string tag;   // 16 hexadecimal digits, over its instructions: as `bpftool prog` shows it.
};

// Of every link that is pinned in that directory (KernelObjects::pin_path()), by name.
Result<std::vector<ProgramTag>> AttachedPrograms(const std::string& pin_path);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_PROGRAM_TAGS_H_
