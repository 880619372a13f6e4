#include "engine/cell_root.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/unique_fd.h"
#include "engine/file_mounts.h"
#include "engine/file_tree.h"
#include "engine/placeholders.h"

namespace palyra::engine {
namespace {

constexpr unsigned long kInert = MS_NOSUID | MS_NODEV | MS_NOEXEC;

// What tells of the machine or changes it, as container engines hide it.
constexpr std::array kMaskedProcesses = {
    "proc/acpi", "proc/asound",      "proc/kcore", "proc/keys",       "proc/key-users",
    "proc/kmsg", "proc/sched_debug", "proc/scsi",  "proc/timer_list", "proc/sysrq-trigger",
};
constexpr std::array kReadOnlyProcesses = {"proc/bus", "proc/fs", "proc/irq", "proc/sys"};
constexpr std::array kMaskedSystem = {"sys/firmware", "sys/fs/bpf", "sys/kernel/debug",
                                      "sys/kernel/security", "sys/kernel/tracing"};

std::string BuildingPlace(const CellRoot& root) { return root.runtime_directory + "/root"; }

int ErrnoUnless(bool succeeded) { return succeeded ? 0 : errno; }

// In the directory where the root is built.
const char* Relative(const CellPlace& place) { return place.at.path.c_str() + 1; }

// As they are there, or are made; below what is the host's they are there.
int MakeParents(const std::string& path) {
  for (size_t end = path.find('/'); end != std::string::npos; end = path.find('/', end + 1)) {
    const bool is_there = mkdir(path.substr(0, end).c_str(), 0755) == 0 || errno == EEXIST;
    if (!is_there && errno != EROFS) return errno;
  }
  return 0;
}

int MakeDirectory(const char* path) {
  return ErrnoUnless(mkdir(path, 0755) == 0 || errno == EEXIST || errno == EROFS);
}

int MakeFile(const char* path) {
  const int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0444);
  // Of the host's, and perhaps no regular file.
  if (fd < 0) {
    struct stat status;
    return ErrnoUnless(lstat(path, &status) == 0);
  }
  close(fd);
  return 0;
}

int MountTree(int source, const char* target, uint64_t attributes) {
  const UniqueFd tree(CopyMounts(source));
  if (!tree.valid()) return -tree.get();
  int failure = SetMountAttributes(tree.get(), "", AT_EMPTY_PATH | AT_RECURSIVE, attributes);
  if (failure != 0) return failure;
  const UniqueFd at(OpenPathWithoutLinks(target));
  if (!at.valid()) return errno;
  return PlaceMounts(tree.get(), at.get());
}

int MountHost(const CellPlace& place) {
  int failure = place.is_directory ? MakeDirectory(Relative(place)) : MakeFile(Relative(place));
  if (failure != 0) return failure;
  const UniqueFd source(OpenKnown(place.at));
  if (!source.valid()) return errno;
  uint64_t attributes = MOUNT_ATTR_NOSUID;
  if (!place.is_device) attributes |= MOUNT_ATTR_NODEV;
  if (!place.writable && !place.is_device) attributes |= MOUNT_ATTR_RDONLY;
  return MountTree(source.get(), Relative(place), attributes);
}

int MountTemporary(const CellRoot& root, const char* path, unsigned long flags) {
  if (const int failure = MakeDirectory(path); failure != 0) return failure;
  std::string options = "mode=1777";
  if (root.temporary_bytes) options += ",size=" + std::to_string(*root.temporary_bytes);
  return ErrnoUnless(mount("palyra", path, "tmpfs", flags, options.c_str()) == 0);
}

// What is there. The host's masks are still to be seen.
int Mask(const CellRoot& root, const char* path) {
  struct stat status;
  if (lstat(path, &status) != 0) return 0;
  const std::string mask = MaskIn(root.runtime_directory, S_ISDIR(status.st_mode));
  const UniqueFd source(open(mask.c_str(), O_PATH | O_CLOEXEC | O_NOFOLLOW));
  if (!source.valid()) return errno;
  return MountTree(source.get(), path, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

int MakeReadOnly(const char* path) {
  const UniqueFd source(OpenPathWithoutLinks(path));
  if (!source.valid()) return errno == ENOENT ? 0 : errno;
  return MountTree(source.get(), path, MOUNT_ATTR_RDONLY);
}

int MountProcesses(const CellRoot& root) {
  if (const int failure = MakeDirectory("proc"); failure != 0) return failure;
  if (mount("proc", "proc", "proc", kInert, nullptr) != 0) return errno;
  for (const char* path : kReadOnlyProcesses) {
    if (const int failure = MakeReadOnly(path); failure != 0) return failure;
  }
  for (const char* path : kMaskedProcesses) {
    if (const int failure = Mask(root, path); failure != 0) return failure;
  }
  return 0;
}

// With the run's own cgroup, where programs look for how much of the machine is theirs.
int MountSystem(const CellRoot& root) {
  if (const int failure = MakeDirectory("sys"); failure != 0) return failure;
  if (mount("sysfs", "sys", "sysfs", kInert | MS_RDONLY, nullptr) != 0) return errno;
  for (const char* path : kMaskedSystem) {
    if (const int failure = Mask(root, path); failure != 0) return failure;
  }
  return ErrnoUnless(mount("cgroup2", "sys/fs/cgroup", "cgroup2", kInert | MS_RDONLY, nullptr) ==
                     0);
}

int MakePlace(const CellRoot& root, const CellPlace& place) {
  if (const int failure = MakeParents(Relative(place)); failure != 0) return failure;
  using enum CellPlace::Kind;
  switch (place.kind) {
    case kHost:
      return MountHost(place);
    case kLink:
      return ErrnoUnless(symlink(place.target.c_str(), Relative(place)) == 0);
    case kTemporary:
      return MountTemporary(root, Relative(place), MS_NOSUID | MS_NODEV);
    case kDevices:
      if (const int failure = MakeDirectory(Relative(place)); failure != 0) return failure;
      return ErrnoUnless(mount("palyra", Relative(place), "tmpfs", MS_NOSUID | MS_NOEXEC,
                               "mode=0755,size=64k") == 0);
    case kTerminals:
      if (const int failure = MakeDirectory(Relative(place)); failure != 0) return failure;
      return ErrnoUnless(mount("devpts", Relative(place), "devpts", MS_NOSUID | MS_NOEXEC,
                               "newinstance,ptmxmode=0666,mode=0620") == 0);
    case kProcesses:
      return MountProcesses(root);
    case kSystem:
      return MountSystem(root);
    case kEmpty:
      return MakeDirectory(Relative(place));
  }
  std::unreachable();
}

// pivot_root(2), its section on ".": old and new root lie on each other. Where the machine still
// runs from its initial file system, that cannot be moved, and the new root covers it.
int EnterRoot() {
  if (syscall(SYS_pivot_root, ".", ".") == 0) {
    return ErrnoUnless(umount2(".", MNT_DETACH) == 0 && chdir("/") == 0);
  }
  if (errno != EINVAL) return errno;
  return ErrnoUnless(mount(".", "/", nullptr, MS_MOVE, nullptr) == 0 && chroot(".") == 0 &&
                     chdir("/") == 0);
}

int GoTo(const KnownPath& start) {
  const UniqueFd fd(OpenKnown(start));
  return ErrnoUnless(fd.valid() && fchdir(fd.get()) == 0);
}

}  // namespace

Result<CellRoot> PrepareCellRoot(const CellView& view, const std::string& runtime_directory) {
  CellRoot root;
  root.runtime_directory = runtime_directory;
  const std::string directory = BuildingPlace(root);
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return FailErrno(errno, "cannot make the directory \"" + directory + '"');
  }
  if (Result<void> made = MakeMasks(runtime_directory); !made) {
    return std::unexpected(made.error());
  }
  const auto add = [&root](CellPlace::Kind kind, const std::string& path) {
    root.places.push_back({.kind = kind, .at = {.path = path}});
  };
  using enum CellPlace::Kind;
  add(kTemporary, "/tmp");
  add(kTemporary, "/var/tmp");
  add(kDevices, "/dev");
  add(kTemporary, "/dev/shm");
  add(kTerminals, "/dev/pts");
  add(kProcesses, "/proc");
  add(kSystem, "/sys");
  // Where masks and unix sockets of the run are.
  add(kEmpty, runtime_directory);
  for (const ShownPath& shown : view.shown) {
    Result<KnownPath> at = FindForMount(shown.path, shown.is_directory);
    if (!at) return std::unexpected(at.error());
    root.places.push_back({.kind = kHost,
                           .at = *std::move(at),
                           .is_directory = shown.is_directory,
                           .is_device = shown.is_device,
                           .writable = shown.writable});
  }
  for (const ShownLink& link : view.links) {
    root.places.push_back({.kind = kLink, .at = {.path = link.path}, .target = link.target});
  }
  Result<KnownPath> start = WorkingDirectory();
  if (!start) return std::unexpected(start.error());
  root.start = *std::move(start);
  if (!view.IsOfHost(root.start.path)) {
    root.start.inode = 0;
    if (root.start.path != "/") add(kEmpty, root.start.path);
  }
  std::ranges::stable_sort(
      root.places, {}, [](const CellPlace& place) -> const std::string& { return place.at.path; });
  return root;
}

int EnterCellRoot(const CellRoot& root, const ToolUser& user) {
  const std::string directory = BuildingPlace(root);
  if (mount("palyra", directory.c_str(), "tmpfs", kInert, "mode=0755,size=4m") != 0) return errno;
  if (chdir(directory.c_str()) != 0) return errno;
  for (const CellPlace& place : root.places) {
    if (const int failure = MakePlace(root, place); failure != 0) return failure;
  }
  if (const int failure = SetMountAttributes(AT_FDCWD, "dev", 0, MOUNT_ATTR_RDONLY); failure != 0) {
    return failure;
  }
  if (const int failure = EnterRoot(); failure != 0) return failure;
  Result<void> made = MakeMasks(root.runtime_directory);
  if (made) made = MakePlaceholdersInside(root.placeholders, user);
  if (!made) return made.error().system_errno != 0 ? made.error().system_errno : ESTALE;
  if (const int failure = SetMountAttributes(AT_FDCWD, "/", 0, MOUNT_ATTR_RDONLY); failure != 0) {
    return failure;
  }
  return GoTo(root.start);
}

}  // namespace palyra::engine
