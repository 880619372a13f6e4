// Using much of something: memory, processes, processors, output, files.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/probes/target.h"

namespace palyra::probes {
namespace {

constexpr size_t kMebibyte = size_t{1} << 20;

std::optional<size_t> ParseMany(const char* text) {
  char* end = nullptr;
  const unsigned long long number = std::strtoull(text, &end, 10);
  if (end == text || *end != '\0') return std::nullopt;
  return static_cast<size_t>(number);
}

// Writes to every page; 0 or an errno.
int Fill(size_t bytes) {
  void* const memory =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return errno;
  std::memset(memory, 1, bytes);
  return 0;
}

// use-memory MEBIBYTES PROCESSES [wait]: that much in all, in children that are all there at once;
// with 0 processes in this one. With "wait" it stays.
Outcome UseMemory(Arguments arguments) {
  const auto mebibytes = ParseMany(arguments[0]);
  const auto processes = ParseNumber(arguments[1]);
  if (!mebibytes || !processes) return CouldNotTry(EINVAL);
  if (*processes == 0) {
    const int failure = Fill(*mebibytes * kMebibyte);
    return failure == 0 ? Allowed() : FromErrno(failure);
  }
  std::array<int, 2> done = {-1, -1};
  if (pipe(done.data()) != 0) return CouldNotTry(errno);
  for (int i = 0; i < *processes; ++i) {
    const pid_t child = fork();
    if (child < 0) return CouldNotTry(errno);
    if (child > 0) continue;
    const char is_full =
        Fill(*mebibytes * kMebibyte / static_cast<size_t>(*processes)) == 0 ? 1 : 0;
    if (write(done[1], &is_full, 1) != 1) _exit(1);
    while (true) pause();
  }
  close(done[1]);
  for (int i = 0; i < *processes; ++i) {
    char is_full = 0;
    // Of one that is dead, nothing is read.
    if (read(done[0], &is_full, 1) != 1 || is_full == 0) return FromErrno(ENOMEM);
  }
  while (arguments.size() > 2) pause();
  return Allowed();
}

// fork-many COUNT: children that are all there at once.
Outcome ForkMany(Arguments arguments) {
  const auto count = ParseNumber(arguments[0]);
  if (!count) return CouldNotTry(EINVAL);
  int failure = 0;
  for (int i = 0; i < *count; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      while (true) pause();
    }
    if (child < 0) failure = errno;
  }
  return failure == 0 ? Allowed() : FromErrno(failure);
}

// fork-bomb: twice as many again and again, each with a session of its own.
Outcome ForkBomb(Arguments) {
  while (true) {
    if (fork() == 0) setsid();
  }
}

// spin MILLISECONDS PROCESSES: as much processor time in each; 0: without end. It says "ready"
// first.
Outcome Spin(Arguments arguments) {
  const auto milliseconds = ParseNumber(arguments[0]);
  const auto processes = ParseNumber(arguments[1]);
  if (!milliseconds || !processes) return CouldNotTry(EINVAL);
  std::cout << "ready\n" << std::flush;
  for (int i = 1; i < *processes; ++i) {
    if (fork() == 0) break;
  }
  const clock_t most = *milliseconds * (CLOCKS_PER_SEC / 1000);
  while (most == 0 || clock() < most) {
  }
  while (wait(nullptr) > 0) {
  }
  return Shown();
}

// write-bytes FD BYTES: bytes of every value, without a newline at the end of anything; 0: without
// an end. Nothing else is written to the streams.
Outcome WriteBytes(Arguments arguments) {
  const auto fd = ParseNumber(arguments[0]);
  const auto bytes = ParseMany(arguments[1]);
  if (!fd || !bytes) return CouldNotTry(EINVAL);
  std::vector<char> block(size_t{1} << 16);
  for (size_t i = 0; i < block.size(); ++i) block[i] = static_cast<char>(i % 251);
  for (size_t sent = 0; *bytes == 0 || sent < *bytes;) {
    const size_t left = *bytes == 0 ? block.size() : *bytes - sent;
    const size_t begin = sent % 251;
    const ssize_t size = write(*fd, block.data() + begin, std::min(left, block.size() - 251));
    if (size < 0) _exit(3);
    sent += static_cast<size_t>(size);
  }
  return Shown();
}

// fill-file PATH BYTES [deaf|direct]...: writes a file; "deaf" ignores SIGXFSZ, "direct"
// bypasses the cache.
Outcome FillFile(Arguments arguments) {
  const auto bytes = ParseMany(arguments[1]);
  if (!bytes) return CouldNotTry(EINVAL);
  int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
  for (const char* const how : arguments.subspan(2)) {
    if (std::strcmp(how, "deaf") == 0) signal(SIGXFSZ, SIG_IGN);
    if (std::strcmp(how, "direct") == 0) flags |= O_DIRECT;
  }
  const UniqueFd file(open(arguments[0], flags, 0644));
  if (!file.valid()) return CouldNotTry(errno, "open");
  void* block = nullptr;
  if (posix_memalign(&block, 4096, size_t{1} << 16) != 0) return CouldNotTry(ENOMEM);
  std::memset(block, 'x', size_t{1} << 16);
  for (size_t sent = 0; sent < *bytes;) {
    const ssize_t size = write(file.get(), block, std::min(*bytes - sent, size_t{1} << 16));
    if (size < 0) return FromErrno(errno);
    sent += static_cast<size_t>(size);
  }
  return Allowed();
}

// open-many COUNT: that many files at once.
Outcome OpenMany(Arguments arguments) {
  const auto count = ParseNumber(arguments[0]);
  if (!count) return CouldNotTry(EINVAL);
  for (int i = 0; i < *count; ++i) {
    if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0) return FromErrno(errno);
  }
  return Allowed();
}

// The limits of the process, as the kernel writes them.
Outcome ShowLimits(Arguments) {
  std::cout << std::ifstream("/proc/self/limits").rdbuf();
  return Shown();
}

// join-cgroups: opens every cgroup.procs at the top of a hierarchy for writing, as whoever wanted
// to leave its own would.
Outcome JoinCgroups(Arguments) {
  std::ifstream mounts("/proc/self/mounts");
  Outcome outcome = CouldNotTry(ENOENT, "no hierarchies");
  for (std::string line; std::getline(mounts, line);) {
    const size_t path = line.find(' ') + 1;
    const size_t type = line.find(' ', path) + 1;
    if (!std::string_view(line).substr(type).starts_with("cgroup")) continue;
    const std::string file = line.substr(path, type - path - 1) + "/cgroup.procs";
    const UniqueFd fd(open(file.c_str(), O_WRONLY | O_CLOEXEC));
    if (fd.valid()) return {Status::kAllowed, 0, file};
    // A read-only file system denies as well as its permissions do.
    outcome = errno == EROFS ? Outcome{Status::kDenied, EROFS, ""} : FromErrno(errno);
    if (outcome.status != Status::kDenied) return outcome;
  }
  return outcome;
}

constexpr std::array kVerbs = {
    Verb{"use-memory", 2, true, "MEBIBYTES PROCESSES [wait]", UseMemory},
    Verb{"fork-many", 1, false, "COUNT", ForkMany},
    Verb{"fork-bomb", 0, false, "", ForkBomb},
    Verb{"spin", 2, false, "MILLISECONDS PROCESSES", Spin},
    Verb{"write-bytes", 2, false, "FD BYTES", WriteBytes},
    Verb{"fill-file", 2, true, "PATH BYTES [deaf|direct]...", FillFile},
    Verb{"open-many", 1, false, "COUNT", OpenMany},
    Verb{"show-limits", 0, false, "", ShowLimits},
    Verb{"join-cgroups", 0, false, "", JoinCgroups},
};

}  // namespace

std::span<const Verb> UsageVerbs() { return kVerbs; }

}  // namespace palyra::probes
