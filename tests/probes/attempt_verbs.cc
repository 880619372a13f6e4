// `try`: attempts one after the other, and `join-and-try`: the same from within a cgroup.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "tests/probes/attempt.h"
#include "tests/probes/probe.h"

namespace palyra::probes {
namespace {

std::array<std::span<const Attempt>, 8> AllAttempts() {
  return {FileAttempts(),    NameAttempts(),  ProgramAttempts(), ProcessAttempts(),
          ControlAttempts(), IoctlAttempts(), PlaceAttempts(),   RingAttempts()};
}

const Attempt* Find(std::string_view name) {
  for (const auto group : AllAttempts()) {
    const auto found = std::ranges::find(group, name, &Attempt::name);
    if (found != group.end()) return &*found;
  }
  return nullptr;
}

// "NAME ERRNO-NAME", with "none" where it succeeded.
void RunOne(const std::vector<std::string>& words) {
  const Attempt* attempt = Find(words[0]);
  const char* result = "unknown-attempt";
  if (attempt != nullptr && words.size() == attempt->argument_count + 1) {
    const int failure = attempt->run(std::span(words).subspan(1));
    result = failure == 0 ? "none" : strerrorname_np(failure);
  }
  std::printf("%s %s\n", words[0].c_str(), result == nullptr ? "unknown" : result);
  std::fflush(stdout);
}

Outcome Try(Arguments arguments) {
  std::vector<std::string> words;
  for (const char* argument : arguments) {
    if (std::string_view(argument) != ",") {
      words.emplace_back(argument);
      continue;
    }
    if (!words.empty()) RunOne(words);
    words.clear();
  }
  if (!words.empty()) RunOne(words);
  return Shown();
}

// As the process that never was one of the run's: with whatever rights it has.
Outcome JoinAndTry(Arguments arguments) {
  const UniqueFd members(open(arguments[0], O_WRONLY | O_CLOEXEC));
  if (!members.valid() || write(members.get(), "0", 1) != 1) return CouldNotTry(errno);
  return Try(arguments.subspan(1));
}

void Print(const char* name, int failure) {
  std::printf("%s %s\n", name, failure == 0 ? "none" : strerrorname_np(failure));
}

// What can be done with a file that is open, and to open it.
void PrintUses(const std::string& path, int fd) {
  const std::string again = "/proc/self/fd/" + std::to_string(fd);
  Print("open", ErrnoOf(UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC)).get()));
  Print("reopen", ErrnoOf(UniqueFd(open(again.c_str(), O_WRONLY | O_CLOEXEC)).get()));
  Print("write", ErrnoOf(write(fd, "x", 1)));
  Print("ftruncate", ErrnoOf(ftruncate(fd, 1)));
  Print("ring-ftruncate", TruncateByRing(fd));
  Print("fchmod", ErrnoOf(fchmod(fd, 0600)));
  Print("futimens", ErrnoOf(futimens(fd, nullptr)));
  Print("rename", ErrnoOf(rename(path.c_str(), path.c_str())));
  std::fflush(stdout);
}

// Says so again when it cannot be opened any more.
Outcome LoseFile(Arguments arguments) {
  const std::string path = arguments[0];
  const UniqueFd fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd.valid()) return CouldNotTry(errno);
  PrintUses(path, fd.get());
  std::puts("ready");
  std::fflush(stdout);
  while (UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC)).valid()) usleep(20'000);
  PrintUses(path, fd.get());
  return Shown();
}

constexpr std::array kVerbs = {
    Verb{"lose-file", 1, false, "PATH", LoseFile},
    Verb{"try", 1, true, "ATTEMPT [ARGUMENT...] [, ATTEMPT...]", Try},
    Verb{"join-and-try", 2, true, "CGROUP.PROCS ATTEMPT...", JoinAndTry},
};

}  // namespace

std::span<const Verb> AttemptVerbs() { return kVerbs; }

}  // namespace palyra::probes
