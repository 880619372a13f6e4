#include "engine/mounts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/unique_fd.h"
#include "engine/file_tree.h"

namespace palyra::engine {

Result<KnownPath> FindForMount(const std::string& path, bool is_directory) {
  const UniqueFd fd(OpenPathWithoutLinks(path.c_str()));
  struct stat status;
  if (!fd.valid() || fstat(fd.get(), &status) != 0) {
    return FailErrno(errno, "cannot mount \"" + path + "\" for the run");
  }
  if (S_ISDIR(status.st_mode) != is_directory) {
    return Fail(ErrorCode::kUnavailable,
                "\"" + path + "\" was replaced as the run began; start it again");
  }
  return KnownPath{.path = path, .device = status.st_dev, .inode = status.st_ino};
}

Result<KnownPath> WorkingDirectory() {
  std::error_code failure;
  const std::string here = std::filesystem::current_path(failure).string();
  if (failure) return FailErrno(failure.value(), "cannot tell the working directory");
  return FindForMount(here, /*is_directory=*/true);
}

int OpenKnown(const KnownPath& known) {
  const int fd = OpenPathWithoutLinks(known.path.c_str());
  if (fd < 0 || known.inode == 0) return fd;
  struct stat status;
  const bool is_same =
      fstat(fd, &status) == 0 && status.st_dev == known.device && status.st_ino == known.inode;
  if (is_same) return fd;
  close(fd);
  errno = ESTALE;
  return -1;
}

int SetMountAttributes(int fd, const char* path, unsigned flags, uint64_t set) {
  if (set == 0) return 0;
  mount_attr attributes = {};
  attributes.attr_set = set;
  return mount_setattr(fd, path, flags, &attributes, sizeof(attributes)) == 0 ? 0 : errno;
}

int CopyMounts(int fd) {
  const long tree = syscall(SYS_open_tree, fd, "",
                            OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
  return tree < 0 ? -errno : static_cast<int>(tree);
}

int PlaceMounts(int tree, int target) {
  const long moved = syscall(SYS_move_mount, tree, "", target, "",
                             MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
  return moved == 0 ? 0 : errno;
}

}  // namespace palyra::engine
