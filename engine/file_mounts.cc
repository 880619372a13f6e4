#include "engine/file_mounts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/unique_fd.h"
#include "engine/file_tree.h"

namespace palyra::engine {
namespace {

// Mode 0 and owned by root: nobody without capabilities opens it, not even uid 0.
Result<void> MakeMasks(const std::string& directory) {
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return FailErrno(errno, "cannot make the directory \"" + directory + '"');
  }
  const std::string inner = directory + "/directory";
  if (mkdir(inner.c_str(), 0) != 0 && errno != EEXIST) {
    return FailErrno(errno, "cannot make the directory \"" + inner + '"');
  }
  const std::string file = directory + "/file";
  const UniqueFd made(open(file.c_str(), O_CREAT | O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0));
  if (!made.valid()) return FailErrno(errno, "cannot make the file \"" + file + '"');
  return {};
}

Result<MountStep> Look(const std::string& path, bool is_directory) {
  const UniqueFd fd(OpenPathWithoutLinks(path.c_str()));
  struct stat status;
  if (!fd.valid() || fstat(fd.get(), &status) != 0) {
    return FailErrno(errno, "cannot mount \"" + path + "\" for the run");
  }
  if (S_ISDIR(status.st_mode) != is_directory) {
    return Fail(ErrorCode::kUnavailable,
                "\"" + path + "\" was replaced as the run began; start it again");
  }
  return MountStep{.path = path,
                   .source = path,
                   .device = status.st_dev,
                   .inode = status.st_ino,
                   .attributes = 0};
}

uint64_t AttributesOf(const FileMount& mount) {
  uint64_t attributes = 0;
  if (mount.read_only) attributes |= MOUNT_ATTR_RDONLY;
  if (mount.no_exec) attributes |= MOUNT_ATTR_NOEXEC;
  if (mount.no_devices) attributes |= MOUNT_ATTR_NODEV;
  if (mount.masked) attributes |= MOUNT_ATTR_NOSUID;
  return attributes;
}

// ---- In the child. ----

// -1 with errno; ESTALE where something else is there.
int OpenSame(const MountStep& step) {
  const int fd = OpenPathWithoutLinks(step.path.c_str());
  if (fd < 0) return -1;
  struct stat status;
  const bool is_same =
      fstat(fd, &status) == 0 && status.st_dev == step.device && status.st_ino == step.inode;
  if (is_same) return fd;
  close(fd);
  errno = ESTALE;
  return -1;
}

int SetAttributes(int fd, const char* path, unsigned flags, uint64_t set) {
  if (set == 0) return 0;
  mount_attr attributes = {};
  attributes.attr_set = set;
  const int result = mount_setattr(fd, path, flags | AT_RECURSIVE, &attributes, sizeof(attributes));
  return result == 0 ? 0 : errno;
}

// Descriptor of a copy that is mounted nowhere yet, or a negative errno.
int Copy(const MountStep& step) {
  const int at = OpenSame(step);
  if (at < 0) return -errno;
  int source = at;
  if (step.source != step.path) source = OpenPathWithoutLinks(step.source.c_str());
  if (source < 0) return -errno;
  const int tree =
      static_cast<int>(syscall(SYS_open_tree, source, "",
                               OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE));
  if (tree < 0) return -errno;
  if (source != at) close(source);
  close(at);
  const int failure = SetAttributes(tree, "", AT_EMPTY_PATH, step.attributes);
  return failure == 0 ? tree : -failure;
}

int MoveInPlace(const MountStep& step, int tree) {
  const int at = OpenSame(step);
  if (at < 0) return errno;
  const long moved =
      syscall(SYS_move_mount, tree, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
  const int failure = moved == 0 ? 0 : errno;
  close(at);
  close(tree);
  return failure;
}

int Enter(const MountStep& directory) {
  const int fd = OpenSame(directory);
  if (fd < 0) return errno;
  const int failure = fchdir(fd) == 0 ? 0 : errno;
  close(fd);
  return failure;
}

}  // namespace

Result<FileMounts> PrepareFileMounts(const FileView& view, const std::string& directory) {
  const std::string masks = directory + "/masks";
  if (Result<void> made = MakeMasks(masks); !made) return std::unexpected(made.error());
  FileMounts mounts;
  if (view.root_read_only) mounts.root_attributes |= MOUNT_ATTR_RDONLY;
  if (view.root_no_exec) mounts.root_attributes |= MOUNT_ATTR_NOEXEC;
  for (const FileMount& mount : view.mounts) {
    Result<MountStep> step = Look(mount.path, mount.is_directory);
    if (!step) return std::unexpected(step.error());
    step->attributes = AttributesOf(mount);
    if (mount.masked) step->source = masks + (mount.is_directory ? "/directory" : "/file");
    mounts.steps.push_back(*std::move(step));
  }
  std::error_code failure;
  const std::string here = std::filesystem::current_path(failure).string();
  if (failure) return FailErrno(failure.value(), "cannot tell the working directory");
  Result<MountStep> step = Look(here, /*is_directory=*/true);
  if (!step) return std::unexpected(step.error());
  mounts.working_directory = *std::move(step);
  return mounts;
}

int ApplyFileMounts(const FileMounts& mounts, std::span<int> trees) {
  for (size_t i = 0; i < mounts.steps.size(); ++i) {
    trees[i] = Copy(mounts.steps[i]);
    if (trees[i] < 0) return -trees[i];
  }
  if (const int failure = SetAttributes(AT_FDCWD, "/", 0, mounts.root_attributes); failure != 0) {
    return failure;
  }
  for (size_t i = 0; i < mounts.steps.size(); ++i) {
    const int failure = MoveInPlace(mounts.steps[i], trees[i]);
    if (failure != 0) return failure;
  }
  return Enter(mounts.working_directory);
}

}  // namespace palyra::engine
