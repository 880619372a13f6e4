// How a run sees the file system where no BPF LSM program judges files: rights of its Landlock
// domain (landlock(7)), and mounts in a mount namespace of its own. file_lowering.h makes one from
// rules, file_mounts.h applies it.
//
// A grant holds for what it names and everything below, and nothing below takes it back. So what is
// denied below a grant is taken away by a mount: read-only for every change, noexec for execve()
// and for PROT_EXEC maps, which ld.so makes of what it is told to start, and a mask for reading.

#ifndef PALYRA_ENGINE_FILE_VIEW_H_
#define PALYRA_ENGINE_FILE_VIEW_H_

#include <cstdint>
#include <string>
#include <vector>

namespace palyra::engine {

// Bit set over the kernel's access rights, LANDLOCK_ACCESS_FS_*, with the same bits.
using FileRights = uint64_t;
inline constexpr FileRights kExecuteRight = 1U << 0;
inline constexpr FileRights kWriteRight = 1U << 1;
inline constexpr FileRights kReadFileRight = 1U << 2;
inline constexpr FileRights kListRight = 1U << 3;
inline constexpr FileRights kRemoveRights = 1U << 4 | 1U << 5;
// Directories, files, sockets, pipes and symbolic links. Making devices is never granted.
inline constexpr FileRights kMakeRights = 1U << 7 | 1U << 8 | 1U << 9 | 1U << 10 | 1U << 12;
inline constexpr FileRights kMakeDeviceRights = 1U << 6 | 1U << 11;
inline constexpr FileRights kReferRight = 1U << 13;        // ABI 2
inline constexpr FileRights kTruncateRight = 1U << 14;     // ABI 3
inline constexpr FileRights kIoctlDeviceRight = 1U << 15;  // ABI 5
// What can be granted on what is no directory.
inline constexpr FileRights kOnFiles =
    kExecuteRight | kWriteRight | kReadFileRight | kTruncateRight | kIoctlDeviceRight;
inline constexpr FileRights kAllRights = (1U << 16) - 1;

struct FileGrant {
  std::string path;
  bool is_directory;
  FileRights rights;
};

// Mounted on itself, with everything below it.
struct FileMount {
  std::string path;
  bool is_directory;
  bool read_only;
  bool no_exec;
  bool no_devices;
  bool masked;  // Instead of itself something empty that nobody can open.
};

// Made before the run and removed after it: what must not come into being otherwise.
struct Placeholder {
  std::string path;
  bool is_directory;
  // In a file. With `= {}` because g++ warns where it is left out.
  std::string text = {};  // NOLINT(readability-redundant-member-init)
};

struct FileView {
  // Of the root mount with everything below it.
  bool root_read_only = false;
  bool root_no_exec = false;
  std::vector<FileMount> mounts;          // Outer before inner.
  std::vector<Placeholder> placeholders;  // Likewise.
  std::vector<FileGrant> grants;
};

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_FILE_VIEW_H_
