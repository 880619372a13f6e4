// The mounts of a view of the file system: prepared before a run is cloned, and made in the child,
// in its mount namespace. What a path leads to is looked up both times, never through a symbolic
// link, and has to be the same: a path that was replaced meanwhile ends the start.

#ifndef PALYRA_ENGINE_FILE_MOUNTS_H_
#define PALYRA_ENGINE_FILE_MOUNTS_H_

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/file_view.h"

namespace palyra::engine {

struct MountStep {
  std::string path;
  std::string source;  // What is mounted there; `path` itself, or a mask.
  dev_t device;        // Of `path`.
  ino_t inode;
  uint64_t attributes;  // MOUNT_ATTR_* that are set on the copy.
};

struct FileMounts {
  uint64_t root_attributes = 0;
  std::vector<MountStep> steps;  // Outer before inner.
  // Where the command starts: only entered again, because mounts may have covered it.
  MountStep working_directory;
};

// Makes the masks below `directory` where they are missing.
Result<FileMounts> PrepareFileMounts(const FileView& view, const std::string& directory);

// In the child, as root in a mount namespace of its own: 0 or errno, ESTALE where something was
// replaced. Allocates nothing: `trees` has room for a descriptor of each step. Copies are taken
// before anything changes, and none loses a restriction of what it is a copy of.
int ApplyFileMounts(const FileMounts& mounts, std::span<int> trees);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_FILE_MOUNTS_H_
