// The mounts of a view of the file system: prepared before a run is cloned, and made in the child,
// in its mount namespace. What a path leads to is looked up both times, never through a symbolic
// link, and has to be the same: a path that was replaced meanwhile ends the start.

#ifndef PALYRA_ENGINE_FILE_MOUNTS_H_
#define PALYRA_ENGINE_FILE_MOUNTS_H_

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/file_view.h"
#include "engine/mounts.h"

namespace palyra::engine {

struct MountStep {
  KnownPath place;
  std::string mask;     // What is mounted there in place of itself; nothing where empty.
  uint64_t attributes;  // MOUNT_ATTR_* that are set on the copy.
};

struct FileMounts {
  uint64_t root_attributes = 0;
  std::vector<MountStep> steps;  // Outer before inner.
  // Where the command starts: only entered again, because mounts may have covered it.
  KnownPath working_directory;
};

// Something empty that nobody without capabilities opens, not even uid 0: a directory and a file
// below `directory`, which exists, made where they are missing.
Result<void> MakeMasks(const std::string& directory);
std::string MaskIn(const std::string& directory, bool is_directory);

// Makes the masks below `directory`. Of what is not `is_of_host` nothing is known before the child
// is in its root directory; null: everything is.
Result<FileMounts> PrepareFileMounts(
    const FileView& view, const std::string& directory,
    const std::function<bool(const std::string&)>& is_of_host = nullptr);

// In the child, as root in a mount namespace of its own: 0 or errno, ESTALE where something was
// replaced. Allocates nothing: `trees` has room for a descriptor of each step. Copies are taken
// before anything changes, and none loses a restriction of what it is a copy of.
int ApplyFileMounts(const FileMounts& mounts, std::span<int> trees);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_FILE_MOUNTS_H_
