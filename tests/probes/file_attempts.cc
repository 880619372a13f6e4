// Opening and changing what is in a file, by every call that does.

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <vector>

#include "base/unique_fd.h"
#include "tests/probes/attempt.h"

namespace palyra::probes {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kMode = 0644;

int OpenErrno(const std::string& path, int flags) {
  const UniqueFd fd(open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK, kMode));
  return fd.valid() ? 0 : errno;
}

template <int kFlags>
int Open(Words words) {
  return OpenErrno(words[0], kFlags);
}

int OpenAt2(Words words) {
  open_how how = {};
  how.flags = O_RDONLY | O_CLOEXEC;
  const UniqueFd fd(
      static_cast<int>(syscall(SYS_openat2, AT_FDCWD, words[0].c_str(), &how, sizeof(how))));
  return fd.valid() ? 0 : errno;
}

// Below a directory that is open as a path alone.
int OpenBelow(Words words) {
  const fs::path path = words[0];
  const UniqueFd directory(open(path.parent_path().c_str(), O_PATH | O_CLOEXEC));
  if (!directory.valid()) return errno;
  const UniqueFd fd(openat(directory.get(), path.filename().c_str(), O_RDONLY | O_CLOEXEC));
  return fd.valid() ? 0 : errno;
}

// A path alone may be opened; what it leads to is opened by the second call.
template <int kFlags>
int Reopen(Words words) {
  const UniqueFd path(open(words[0].c_str(), O_PATH | O_CLOEXEC));
  if (!path.valid()) return ENOTRECOVERABLE;
  return OpenErrno("/proc/self/fd/" + std::to_string(path.get()), kFlags);
}

int OpenThroughRoot(Words words) { return OpenErrno("/proc/self/root" + words[0], O_RDONLY); }

int OpenRelative(Words words) {
  const fs::path path = words[0];
  const std::string before = fs::current_path();
  const std::string name = path.filename();
  const std::string directory = path.parent_path().filename();
  if (chdir(path.parent_path().c_str()) != 0) return ENOTRECOVERABLE;
  const int plain = OpenErrno("./../" + directory + "//" + name, O_RDONLY);
  const int magic = OpenErrno("/proc/self/cwd/" + name, O_RDONLY);
  if (chdir(before.c_str()) != 0) return ENOTRECOVERABLE;
  return plain == magic ? plain : ENOTRECOVERABLE;
}

// The run makes a link to it, and opens that.
int OpenLinked(Words words) {
  unlink(words[1].c_str());
  if (symlink(words[0].c_str(), words[1].c_str()) != 0) return ENOTRECOVERABLE;
  return OpenErrno(words[1], O_RDONLY);
}

int Truncate(Words words) { return ErrnoOf(truncate(words[0].c_str(), 0)); }
int Chmod(Words words) { return ErrnoOf(chmod(words[0].c_str(), 0600)); }
int Chown(Words words) { return ErrnoOf(chown(words[0].c_str(), geteuid(), getegid())); }
int SetTimes(Words words) { return ErrnoOf(utimensat(AT_FDCWD, words[0].c_str(), nullptr, 0)); }

int SetAttribute(Words words) {
  return ErrnoOf(setxattr(words[0].c_str(), "user.palyra", "x", 1, 0));
}

int RemoveAttribute(Words words) { return ErrnoOf(removexattr(words[0].c_str(), "user.palyra")); }

// rw for the owner, nothing else (acl(5), include/uapi/linux/posix_acl_xattr.h).
int SetAcl(Words words) {
  constexpr std::array<unsigned char, 28> kAcl = {
      2, 0, 0,    0,    1,    0,    6,    0, 0xFF, 0xFF, 0xFF, 0xFF, 4,    0,
      0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0x20, 0, 0,    0,    0xFF, 0xFF, 0xFF, 0xFF};
  return ErrnoOf(
      setxattr(words[0].c_str(), "system.posix_acl_access", kAcl.data(), kAcl.size(), 0));
}

template <int (*kChange)(int)>
int Descriptor(Words words) {
  const UniqueFd fd(open(words[0].c_str(), O_RDONLY | O_CLOEXEC));
  return fd.valid() ? kChange(fd.get()) : ENOTRECOVERABLE;
}

int ChangeMode(int fd) { return ErrnoOf(fchmod(fd, 0600)); }
int ChangeTimes(int fd) { return ErrnoOf(futimens(fd, nullptr)); }
int ChangeAttribute(int fd) { return ErrnoOf(fsetxattr(fd, "user.palyra", "x", 1, 0)); }
int ChangeFlags(int fd) {
  int flags = FS_NODUMP_FL;
  return ErrnoOf(ioctl(fd, FS_IOC_SETFLAGS, &flags));
}

// A path longer than any call takes, by descending; then the file at its end is made.
int CreateDeep(Words words) {
  constexpr int kLevels = 20;
  const std::string before = fs::current_path();
  if (chdir(words[0].c_str()) != 0) return ENOTRECOVERABLE;
  int failure = 0;
  for (int i = 0; i < kLevels && failure == 0; ++i) {
    const std::string name(250, static_cast<char>('a' + i));
    if (mkdir(name.c_str(), 0755) != 0 || chdir(name.c_str()) != 0) failure = errno;
  }
  if (failure == 0) failure = OpenErrno("end", O_CREAT | O_WRONLY);
  if (chdir(before.c_str()) != 0) return ENOTRECOVERABLE;
  return failure;
}

constexpr std::array kAttempts = {
    Attempt{"open-read", 1, Open<O_RDONLY>},
    Attempt{"open-write", 1, Open<O_WRONLY>},
    Attempt{"open-both", 1, Open<O_RDWR>},
    Attempt{"open-neither", 1, Open<O_ACCMODE>},
    Attempt{"open-append", 1, Open<O_WRONLY | O_APPEND>},
    Attempt{"open-truncate", 1, Open<O_RDONLY | O_TRUNC>},
    Attempt{"open-path", 1, Open<O_PATH>},
    Attempt{"list", 1, Open<O_RDONLY | O_DIRECTORY>},
    Attempt{"create", 1, Open<O_CREAT | O_EXCL | O_WRONLY>},
    Attempt{"create-unnamed", 1, Open<O_TMPFILE | O_WRONLY>},
    Attempt{"open-at2", 1, OpenAt2},
    Attempt{"open-below", 1, OpenBelow},
    Attempt{"reopen-read", 1, Reopen<O_RDONLY>},
    Attempt{"reopen-write", 1, Reopen<O_WRONLY>},
    Attempt{"open-through-root", 1, OpenThroughRoot},
    Attempt{"open-relative", 1, OpenRelative},
    Attempt{"open-linked", 2, OpenLinked},
    Attempt{"truncate", 1, Truncate},
    Attempt{"chmod", 1, Chmod},
    Attempt{"chown", 1, Chown},
    Attempt{"utimes", 1, SetTimes},
    Attempt{"setxattr", 1, SetAttribute},
    Attempt{"removexattr", 1, RemoveAttribute},
    Attempt{"setacl", 1, SetAcl},
    Attempt{"fchmod", 1, Descriptor<ChangeMode>},
    Attempt{"futimens", 1, Descriptor<ChangeTimes>},
    Attempt{"fsetxattr", 1, Descriptor<ChangeAttribute>},
    Attempt{"chattr", 1, Descriptor<ChangeFlags>},
    Attempt{"create-deep", 1, CreateDeep},
};

}  // namespace

std::span<const Attempt> FileAttempts() { return kAttempts; }

}  // namespace palyra::probes
