// Running what is in a file: 0 when it ran, or could be jumped to.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <functional>

#include "base/unique_fd.h"
#include "tests/probes/attempt.h"

namespace palyra::probes {
namespace {

constexpr size_t kPage = 4096;

// The errno with which `replace` returned in a child, or 0 when it did not return.
int ExecErrno(const std::function<void()>& replace) {
  std::array<int, 2> ends = {-1, -1};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return ENOTRECOVERABLE;
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t child = fork();
  if (child == 0) {
    const int nowhere = open("/dev/null", O_WRONLY);
    if (nowhere >= 0) {
      dup2(nowhere, STDOUT_FILENO);
      dup2(nowhere, STDERR_FILENO);
    }
    replace();
    const int failure = errno;
    _exit(write(write_end.get(), &failure, sizeof(failure)) > 0 ? 1 : 2);
  }
  write_end.Reset();
  int failure = 0;
  const bool returned = read(read_end.get(), &failure, sizeof(failure)) == sizeof(failure);
  waitpid(child, nullptr, 0);
  return returned ? failure : 0;
}

void ExecFile(const std::string& path, const std::vector<std::string>& more = {}) {
  std::vector<char*> arguments = {const_cast<char*>(path.c_str())};
  for (const std::string& argument : more) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  char* const environment[] = {nullptr};
  execve(path.c_str(), arguments.data(), environment);
}

int ExecDescriptor(int fd) {
  return ExecErrno([fd] {
    char name[] = "tool";
    char* const arguments[] = {name, nullptr};
    char* const environment[] = {nullptr};
    syscall(SYS_execveat, fd, "", arguments, environment, AT_EMPTY_PATH);
  });
}

bool Copy(const std::string& from, int to) {
  const UniqueFd source(open(from.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status = {};
  if (!source.valid() || fstat(source.get(), &status) != 0) return false;
  off_t offset = 0;
  while (offset < status.st_size) {
    const auto left = static_cast<size_t>(status.st_size - offset);
    if (sendfile(to, source.get(), &offset, left) <= 0) return false;
  }
  return true;
}

bool CopyTo(const std::string& from, const std::string& to) {
  const UniqueFd fd(open(to.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0755));
  return fd.valid() && Copy(from, fd.get());
}

int Exec(Words words) {
  return ExecErrno([&] { ExecFile(words[0]); });
}

int ExecAs(Words words) {
  return ExecErrno([&] {
    prctl(PR_SET_NAME, words[1].c_str());
    char* const arguments[] = {const_cast<char*>(words[1].c_str()), nullptr};
    char* const environment[] = {nullptr};
    execve(words[0].c_str(), arguments, environment);
  });
}

// A shell, by the dynamic linker, which maps it.
int ExecByLinker(Words words) {
  const std::string linker = "/lib64/ld-linux-x86-64.so.2";
  std::array<int, 2> ends = {-1, -1};
  if (pipe(ends.data()) != 0) return ENOTRECOVERABLE;
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    ExecFile(linker, {words[0], "-c", "exit 0"});
    _exit(127);
  }
  close(ends[1]);
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  // The linker says 127 of what it cannot map.
  return WIFEXITED(status) && WEXITSTATUS(status) == 127 ? EACCES : 0;
}

int ExecMemory(Words words) {
  const UniqueFd fd(memfd_create("tool", MFD_CLOEXEC));
  if (!fd.valid() || !Copy(words[0], fd.get())) return ENOTRECOVERABLE;
  return ExecDescriptor(fd.get());
}

int ExecUnlinked(Words words) {
  if (!CopyTo(words[0], words[1])) return ENOTRECOVERABLE;
  const UniqueFd fd(open(words[1].c_str(), O_PATH | O_CLOEXEC));
  if (!fd.valid() || unlink(words[1].c_str()) != 0) return ENOTRECOVERABLE;
  return ExecDescriptor(fd.get());
}

int ExecPath(Words words) {
  const UniqueFd fd(open(words[0].c_str(), O_PATH | O_CLOEXEC));
  return fd.valid() ? ExecDescriptor(fd.get()) : ENOTRECOVERABLE;
}

int ExecCopy(Words words) {
  if (!CopyTo(words[0], words[1])) return ENOTRECOVERABLE;
  return ExecErrno([&] { ExecFile(words[1]); });
}

int MapErrno(int fd, int flags) {
  void* memory = mmap(nullptr, kPage, PROT_READ | PROT_EXEC, flags, fd, 0);
  if (memory == MAP_FAILED) return errno;
  munmap(memory, kPage);
  return 0;
}

int Map(Words words) {
  const UniqueFd fd(open(words[0].c_str(), O_RDONLY | O_CLOEXEC));
  return fd.valid() ? MapErrno(fd.get(), MAP_PRIVATE) : ENOTRECOVERABLE;
}

// While it is open for writing.
int MapWritten(Words words) {
  const UniqueFd writer(open(words[0].c_str(), O_RDWR | O_CLOEXEC));
  return writer.valid() ? Map(words) : ENOTRECOVERABLE;
}

// After that it is opened for writing.
int WriteMapped(Words words) {
  if (Map(words) != 0) return ENOTRECOVERABLE;
  const UniqueFd writer(open(words[0].c_str(), O_WRONLY | O_CLOEXEC));
  return ErrnoOf(writer.get());
}

int TruncateMapped(Words words) {
  if (Map(words) != 0) return ENOTRECOVERABLE;
  return ErrnoOf(truncate(words[0].c_str(), 1));
}

int Protect(Words words) {
  const UniqueFd fd(open(words[0].c_str(), O_RDONLY | O_CLOEXEC));
  void* memory =
      fd.valid() ? mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE, fd.get(), 0) : MAP_FAILED;
  if (memory == MAP_FAILED) return ENOTRECOVERABLE;
  const int failure = ErrnoOf(mprotect(memory, kPage, PROT_READ | PROT_EXEC));
  munmap(memory, kPage);
  return failure;
}

int MapMemory(Words) {
  const UniqueFd fd(memfd_create("code", MFD_CLOEXEC));
  if (!fd.valid() || ftruncate(fd.get(), kPage) != 0) return ENOTRECOVERABLE;
  return MapErrno(fd.get(), MAP_SHARED);
}

int MapAnonymous(Words) { return MapErrno(-1, MAP_PRIVATE | MAP_ANONYMOUS); }

constexpr std::array kAttempts = {
    Attempt{"exec", 1, Exec},
    Attempt{"exec-as", 2, ExecAs},
    Attempt{"exec-by-linker", 1, ExecByLinker},
    Attempt{"exec-memory", 1, ExecMemory},
    Attempt{"exec-unlinked", 2, ExecUnlinked},
    Attempt{"exec-path", 1, ExecPath},
    Attempt{"exec-copy", 2, ExecCopy},
    Attempt{"map", 1, Map},
    Attempt{"map-written", 1, MapWritten},
    Attempt{"write-mapped", 1, WriteMapped},
    Attempt{"truncate-mapped", 1, TruncateMapped},
    Attempt{"protect", 1, Protect},
    Attempt{"map-memory", 0, MapMemory},
    Attempt{"map-anonymous", 0, MapAnonymous},
};

}  // namespace

std::span<const Attempt> ProgramAttempts() { return kAttempts; }

}  // namespace palyra::probes
