// Mounts, by the calls that take descriptors (open_tree(2), move_mount(2), mount_setattr(2)).
// Between clone and exec: they allocate nothing, and return 0 or errno where nothing else is said.

#ifndef PALYRA_ENGINE_MOUNTS_H_
#define PALYRA_ENGINE_MOUNTS_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/result.h"

namespace palyra::engine {

// A file or directory as it was found, to be found again; no inode: whatever is there.
struct KnownPath {
  std::string path;
  dev_t device = 0;
  ino_t inode = 0;
};

// What is there now, without following a symbolic link. kUnavailable where it is a directory and
// should be none, or the other way round.
Result<KnownPath> FindForMount(const std::string& path, bool is_directory);

// The calling process's, however it came there.
Result<KnownPath> WorkingDirectory();

// O_PATH; or -1 with errno, ESTALE where something else is there by now.
int OpenKnown(const KnownPath& known);

// Sets MOUNT_ATTR_*.
int SetMountAttributes(int fd, const char* path, unsigned flags, uint64_t set);

// A copy of the tree of mounts at `fd`, mounted nowhere yet: its descriptor, or a negative errno.
int CopyMounts(int fd);

// Mounts what CopyMounts gave at `target`; closes neither.
int PlaceMounts(int tree, int target);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_MOUNTS_H_
