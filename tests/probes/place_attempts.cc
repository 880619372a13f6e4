// Roundabout ways to a file: handles, other processes, namespaces, names that are gone.

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <string>

#include "base/unique_fd.h"
#include "tests/probes/attempt.h"
#include "tests/probes/unix_target.h"

namespace palyra::probes {
namespace {

namespace fs = std::filesystem;

int OpenErrno(const std::string& path, int flags = O_RDONLY) {
  const UniqueFd fd(open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK, 0644));
  return fd.valid() ? 0 : errno;
}

std::string InProc(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

// With a file of the same mount, which is open.
int OpenByHandle(Words words) {
  alignas(file_handle) std::array<char, sizeof(file_handle) + MAX_HANDLE_SZ> room = {};
  auto* handle = reinterpret_cast<file_handle*>(room.data());
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount = 0;
  const UniqueFd place(open(words[1].c_str(), O_RDONLY | O_CLOEXEC));
  if (!place.valid() || name_to_handle_at(AT_FDCWD, words[0].c_str(), handle, &mount, 0) != 0) {
    return ENOTRECOVERABLE;
  }
  const UniqueFd fd(open_by_handle_at(place.get(), handle, O_RDONLY | O_CLOEXEC));
  return fd.valid() ? 0 : errno;
}

// A child stands where the file is; what its links in /proc lead to is opened.
int OpenThroughChild(Words words) {
  const fs::path path = words[0];
  std::array<int, 2> ends = {-1, -1};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return ENOTRECOVERABLE;
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    const UniqueFd fd(open(path.c_str(), O_PATH | O_CLOEXEC));
    if (chdir(path.parent_path().c_str()) != 0 || !fd.valid()) _exit(1);
    const int number = fd.get();
    (void)!write(write_end.get(), &number, sizeof(number));
    while (getppid() == parent) usleep(10'000);
    _exit(0);
  }
  write_end.Reset();
  int number = -1;
  int failure = ENOTRECOVERABLE;
  if (read(read_end.get(), &number, sizeof(number)) == sizeof(number)) {
    const std::string process = "/proc/" + std::to_string(child);
    const int by_directory = OpenErrno(process + "/cwd/" + path.filename().string());
    const int by_root = OpenErrno(process + "/root" + path.string());
    const int by_descriptor = OpenErrno(process + "/fd/" + std::to_string(number));
    if (by_directory == by_root && by_root == by_descriptor) failure = by_directory;
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  return failure;
}

// Of a process of that number.
int OpenThroughProcess(Words words) { return OpenErrno("/proc/" + words[0] + "/root" + words[1]); }

// The name goes while the file is open as a path.
int ReopenRemoved(Words words) {
  const UniqueFd path(open(words[0].c_str(), O_PATH | O_CLOEXEC));
  if (!path.valid() || unlink(words[0].c_str()) != 0) return ENOTRECOVERABLE;
  return OpenErrno(InProc(path.get()));
}

// An unnamed file of that directory, made to be linked, gets that name.
int LinkUnnamed(Words words) {
  const UniqueFd fd(open(words[0].c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0755));
  if (!fd.valid()) return ENOTRECOVERABLE;
  return ErrnoOf(
      linkat(AT_FDCWD, InProc(fd.get()).c_str(), AT_FDCWD, words[1].c_str(), AT_SYMLINK_FOLLOW));
}

// In a mount namespace that is new, and a copy.
int OpenInNewMounts(Words words) {
  const pid_t child = fork();
  if (child == 0) {
    if (unshare(CLONE_NEWNS) != 0) _exit(ENOTRECOVERABLE);
    const int read = OpenErrno(words[0]);
    const int times = ErrnoOf(utimensat(AT_FDCWD, words[0].c_str(), nullptr, 0));
    _exit(read == times ? read : ENOTRECOVERABLE);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : ENOTRECOVERABLE;
}

// Whoever listens at that name sends a file, which is read; what is open as a path alone is opened.
int ReceiveFile(Words words) {
  const UniqueFd received = ReceiveFrom(words[0]);
  char byte = 0;
  if (!received.valid()) return errno;
  if (pread(received.get(), &byte, 1, 0) == 1) return 0;
  return errno == EBADF ? OpenErrno(InProc(received.get())) : errno;
}

int SetAttributeOfReceived(Words words) {
  const UniqueFd received = ReceiveFrom(words[0]);
  if (!received.valid()) return ENOTRECOVERABLE;
  return ErrnoOf(fsetxattr(received.get(), "user.palyra", "x", 1, 0));
}

constexpr std::array kAttempts = {
    Attempt{"open-by-handle", 2, OpenByHandle},
    Attempt{"open-through-child", 1, OpenThroughChild},
    Attempt{"open-through-process", 2, OpenThroughProcess},
    Attempt{"reopen-removed", 1, ReopenRemoved},
    Attempt{"link-unnamed", 2, LinkUnnamed},
    Attempt{"open-in-new-mounts", 1, OpenInNewMounts},
    Attempt{"receive-file", 1, ReceiveFile},
    Attempt{"setxattr-received", 1, SetAttributeOfReceived},
};

}  // namespace

std::span<const Attempt> PlaceAttempts() { return kAttempts; }

}  // namespace palyra::probes
