#include "engine/file_mounts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.h"
#include "engine/file_tree.h"

namespace palyra::engine {
namespace {

uint64_t AttributesOf(const FileMount& mount) {
  uint64_t attributes = 0;
  if (mount.read_only) attributes |= MOUNT_ATTR_RDONLY;
  if (mount.no_exec) attributes |= MOUNT_ATTR_NOEXEC;
  if (mount.no_devices) attributes |= MOUNT_ATTR_NODEV;
  if (mount.masked) attributes |= MOUNT_ATTR_NOSUID;
  return attributes;
}

// ---- In the child. ----

// Descriptor of a copy that is mounted nowhere yet, or a negative errno.
int Copy(const MountStep& step) {
  const int at = OpenKnown(step.place);
  if (at < 0) return -errno;
  const bool is_masked = !step.mask.empty();
  const int source = is_masked ? OpenPathWithoutLinks(step.mask.c_str()) : at;
  if (source < 0) return -errno;
  const int tree = CopyMounts(source);
  if (tree < 0) return tree;
  if (is_masked) close(source);
  close(at);
  const int failure = SetMountAttributes(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, step.attributes);
  return failure == 0 ? tree : -failure;
}

int MoveInPlace(const MountStep& step, int tree) {
  const int at = OpenKnown(step.place);
  if (at < 0) return errno;
  const int failure = PlaceMounts(tree, at);
  close(at);
  close(tree);
  return failure;
}

int Enter(const KnownPath& directory) {
  const int fd = OpenKnown(directory);
  if (fd < 0) return errno;
  const int failure = fchdir(fd) == 0 ? 0 : errno;
  close(fd);
  return failure;
}

}  // namespace

Result<void> MakeMasks(const std::string& directory) {
  const std::string masks = directory + "/masks";
  if (mkdir(masks.c_str(), 0700) != 0 && errno != EEXIST) {
    return FailErrno(errno, "cannot make the directory \"" + masks + '"');
  }
  const std::string inner = MaskIn(directory, /*is_directory=*/true);
  if (mkdir(inner.c_str(), 0) != 0 && errno != EEXIST) {
    return FailErrno(errno, "cannot make the directory \"" + inner + '"');
  }
  const std::string file = MaskIn(directory, /*is_directory=*/false);
  const UniqueFd made(open(file.c_str(), O_CREAT | O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0));
  if (!made.valid()) return FailErrno(errno, "cannot make the file \"" + file + '"');
  return {};
}

std::string MaskIn(const std::string& directory, bool is_directory) {
  return directory + (is_directory ? "/masks/directory" : "/masks/file");
}

Result<FileMounts> PrepareFileMounts(const FileView& view, const std::string& directory,
                                     const std::function<bool(const std::string&)>& is_of_host) {
  if (Result<void> made = MakeMasks(directory); !made) return std::unexpected(made.error());
  FileMounts mounts;
  if (view.root_read_only) mounts.root_attributes |= MOUNT_ATTR_RDONLY;
  if (view.root_no_exec) mounts.root_attributes |= MOUNT_ATTR_NOEXEC;
  for (const FileMount& mount : view.mounts) {
    MountStep step = {.place = {.path = mount.path},
                      .mask = mount.masked ? MaskIn(directory, mount.is_directory) : "",
                      .attributes = AttributesOf(mount)};
    if (!is_of_host || is_of_host(mount.path)) {
      Result<KnownPath> place = FindForMount(mount.path, mount.is_directory);
      if (!place) return std::unexpected(place.error());
      step.place = *std::move(place);
    }
    mounts.steps.push_back(std::move(step));
  }
  Result<KnownPath> here = WorkingDirectory();
  if (!here) return std::unexpected(here.error());
  if (is_of_host && !is_of_host(here->path)) here->inode = 0;
  mounts.working_directory = *std::move(here);
  return mounts;
}

int ApplyFileMounts(const FileMounts& mounts, std::span<int> trees) {
  for (size_t i = 0; i < mounts.steps.size(); ++i) {
    trees[i] = Copy(mounts.steps[i]);
    if (trees[i] < 0) return -trees[i];
  }
  int failure = SetMountAttributes(AT_FDCWD, "/", AT_RECURSIVE, mounts.root_attributes);
  if (failure != 0) return failure;
  for (size_t i = 0; i < mounts.steps.size(); ++i) {
    failure = MoveInPlace(mounts.steps[i], trees[i]);
    if (failure != 0) return failure;
  }
  return Enter(mounts.working_directory);
}

}  // namespace palyra::engine
