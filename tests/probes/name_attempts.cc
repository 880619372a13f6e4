// Making, removing and moving names.

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/unique_fd.h"
#include "tests/probes/attempt.h"

namespace palyra::probes {
namespace {

int Remove(Words words) { return ErrnoOf(unlink(words[0].c_str())); }
int RemoveDirectory(Words words) { return ErrnoOf(rmdir(words[0].c_str())); }
int MakeDirectory(Words words) { return ErrnoOf(mkdir(words[0].c_str(), 0755)); }
int MakePipe(Words words) { return ErrnoOf(mknod(words[0].c_str(), S_IFIFO | 0644, 0)); }
int MakeSymlink(Words words) { return ErrnoOf(symlink(words[0].c_str(), words[1].c_str())); }
int Rename(Words words) { return ErrnoOf(rename(words[0].c_str(), words[1].c_str())); }
int Link(Words words) { return ErrnoOf(link(words[0].c_str(), words[1].c_str())); }

int Exchange(Words words) {
  return ErrnoOf(syscall(SYS_renameat2, AT_FDCWD, words[0].c_str(), AT_FDCWD, words[1].c_str(),
                         RENAME_EXCHANGE));
}

// Of a descriptor that is a path alone.
int LinkDescriptor(Words words) {
  const UniqueFd fd(open(words[0].c_str(), O_PATH | O_CLOEXEC));
  if (!fd.valid()) return ENOTRECOVERABLE;
  const std::string path = "/proc/self/fd/" + std::to_string(fd.get());
  return ErrnoOf(linkat(AT_FDCWD, path.c_str(), AT_FDCWD, words[1].c_str(), AT_SYMLINK_FOLLOW));
}

int Bind(Words words) {
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  if (!fd.valid() || words[0].size() >= sizeof(address.sun_path)) return ENOTRECOVERABLE;
  std::memcpy(address.sun_path, words[0].data(), words[0].size());
  return ErrnoOf(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)));
}

// A file that got another name, exchanged with one that may be read, again and again; 0 when a byte
// of it was ever read.
int RaceRead(Words words) {
  constexpr int kLeast = 400;
  constexpr int kMost = 20'000;
  const std::string& secret = words[0];
  const std::string& own = words[1];
  const std::string& place = words[2];
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    const std::string other = place + ".other";
    while (getppid() == parent) {
      unlink(other.c_str());
      (void)!symlink(secret.c_str(), other.c_str());
      rename(other.c_str(), place.c_str());
      (void)!symlink(own.c_str(), other.c_str());
      rename(other.c_str(), place.c_str());
    }
    _exit(0);
  }
  bool was_read = false;
  bool was_denied = false;
  for (int i = 0; i < kLeast || (i < kMost && !was_read && !was_denied); ++i) {
    const UniqueFd fd(open(place.c_str(), O_RDONLY | O_CLOEXEC));
    char first = 0;
    if (!fd.valid()) {
      was_denied = was_denied || errno == EACCES;
    } else if (read(fd.get(), &first, 1) == 1) {
      was_read = was_read || first == 's';
    }
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  if (was_read) return 0;
  return was_denied ? EACCES : ENOTRECOVERABLE;
}

constexpr std::array kAttempts = {
    Attempt{"unlink", 1, Remove},
    Attempt{"rmdir", 1, RemoveDirectory},
    Attempt{"mkdir", 1, MakeDirectory},
    Attempt{"mkfifo", 1, MakePipe},
    Attempt{"symlink", 2, MakeSymlink},
    Attempt{"rename", 2, Rename},
    Attempt{"exchange", 2, Exchange},
    Attempt{"link", 2, Link},
    Attempt{"link-descriptor", 2, LinkDescriptor},
    Attempt{"bind", 1, Bind},
    Attempt{"race-read", 3, RaceRead},
};

}  // namespace

std::span<const Attempt> NameAttempts() { return kAttempts; }

}  // namespace palyra::probes
