// What the tool was given: arguments, environment, credentials, descriptors, streams.

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>

#include "tests/probes/target.h"

namespace palyra::probes {
namespace {

// Each argument, ended by a NUL.
Outcome ShowArguments(Arguments arguments) {
  for (const char* argument : arguments) std::cout << argument << '\0';
  return Shown();
}

// Each "NAME=VALUE", ended by a NUL.
Outcome ShowEnvironment(Arguments) {
  for (char** entry = environ; *entry != nullptr; ++entry) std::cout << *entry << '\0';
  return Shown();
}

// The lines of /proc/self/status about credentials, capabilities and seccomp, as the kernel
// writes them.
Outcome ShowCapabilities(Arguments) {
  constexpr std::array kWanted = {"Uid:",    "Gid:",    "Groups:", "CapInh:",     "CapPrm:",
                                  "CapEff:", "CapBnd:", "CapAmb:", "NoNewPrivs:", "Seccomp:"};
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    const auto matches = [&](std::string_view name) { return line.starts_with(name); };
    if (std::ranges::any_of(kWanted, matches)) std::cout << line << '\n';
  }
  return Shown();
}

// "FD TARGET" for each open descriptor but the one that reads the directory.
Outcome ShowDescriptors(Arguments) {
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return FromErrno(errno);
  while (const dirent* entry = readdir(directory)) {
    const auto fd = ParseNumber(entry->d_name);
    if (!fd || *fd == dirfd(directory)) continue;
    std::array<char, 4096> target = {};
    const std::string link = std::string("/proc/self/fd/") + entry->d_name;
    if (readlink(link.c_str(), target.data(), target.size() - 1) < 0) continue;
    std::cout << *fd << ' ' << target.data() << '\n';
  }
  closedir(directory);
  return Shown();
}

Outcome ShowCgroup(Arguments) {
  const std::ifstream lines("/proc/self/cgroup");
  std::cout << lines.rdbuf();
  return Shown();
}

Outcome ShowDirectory(Arguments) {
  char* directory = getcwd(nullptr, 0);
  if (directory == nullptr) return FromErrno(errno);
  std::cout << directory << '\n';
  std::free(directory);
  return Shown();
}

// "0 1 2" without those that are no terminal, then whether it is the controlling one.
Outcome ShowTerminal(Arguments) {
  for (int fd = 0; fd < 3; ++fd) {
    if (isatty(fd) != 0) std::cout << fd << ' ';
  }
  std::cout << (tcgetpgrp(STDIN_FILENO) == getpgrp() ? "foreground" : "background") << '\n';
  return Shown();
}

bool WriteFully(int fd, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t written = write(fd, data, size);
    if (written <= 0) return false;
    data += written;
    size -= static_cast<size_t>(written);
  }
  return true;
}

// Stdin to stdout as it is, and to stderr with every byte inverted.
Outcome CopyStreams(Arguments) {
  std::array<char, 4096> buffer;
  while (true) {
    const ssize_t count = read(STDIN_FILENO, buffer.data(), buffer.size());
    if (count == 0) return Shown();
    if (count < 0) return FromErrno(errno);
    const auto size = static_cast<size_t>(count);
    if (!WriteFully(STDOUT_FILENO, buffer.data(), size)) return FromErrno(errno);
    for (size_t i = 0; i < size; ++i) buffer[i] = static_cast<char>(~buffer[i]);
    if (!WriteFully(STDERR_FILENO, buffer.data(), size)) return FromErrno(errno);
  }
}

constexpr std::array kVerbs = {
    Verb{"args-print", 0, true, "[ARGUMENT...]", ShowArguments},
    Verb{"env-print", 0, false, "", ShowEnvironment},
    Verb{"caps-print", 0, false, "", ShowCapabilities},
    Verb{"fds-print", 0, false, "", ShowDescriptors},
    Verb{"cgroup-print", 0, false, "", ShowCgroup},
    Verb{"cwd-print", 0, false, "", ShowDirectory},
    Verb{"tty-print", 0, false, "", ShowTerminal},
    Verb{"copy-streams", 0, false, "", CopyStreams},
};

}  // namespace

std::span<const Verb> ShowVerbs() { return kVerbs; }

}  // namespace palyra::probes
