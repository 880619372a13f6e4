// What a cell looks like from within, and what its PID 1 lets be done to it.

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "tests/probes/target.h"

namespace palyra::probes {
namespace {

// The names in each directory, a line for each name.
Outcome List(Arguments paths) {
  for (const char* path : paths) {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path), closedir);
    if (directory == nullptr) return FromErrno(errno);
    while (const dirent* entry = readdir(directory.get())) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") std::cout << name << '\n';
    }
  }
  return Shown();
}

Outcome PrintFile(Arguments paths) {
  for (const char* path : paths) {
    const std::ifstream file(path);
    if (!file) return FromErrno(errno);
    std::cout << file.rdbuf();
  }
  return Shown();
}

// The number of this process, of its parent, and what namespaces it is in.
Outcome ShowNamespaces(Arguments) {
  std::cout << "pid " << getpid() << "\nparent " << getppid() << '\n';
  for (const char* name : {"cgroup", "ipc", "mnt", "net", "pid", "uts", "user"}) {
    std::array<char, 64> target = {};
    const std::string link = std::string("/proc/self/ns/") + name;
    if (readlink(link.c_str(), target.data(), target.size() - 1) < 0) return FromErrno(errno);
    std::cout << target.data() << '\n';
  }
  return Shown();
}

Outcome KillInit(Arguments) {
  for (const int signal : {SIGTERM, SIGKILL, SIGSTOP}) {
    if (kill(1, signal) != 0) return FromErrno(errno);
  }
  return Allowed();
}

Outcome ReadInit(Arguments) {
  for (const char* path : {"/proc/1/environ", "/proc/1/mem", "/proc/1/maps", "/proc/1/root"}) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    char byte = 0;
    const bool is_read = read(fd, &byte, 1) == 1;
    close(fd);
    if (is_read) return Allowed();
  }
  char byte = 0;
  const iovec here = {.iov_base = &byte, .iov_len = 1};
  if (process_vm_readv(1, &here, 1, &here, 1, 0) == 1) return Allowed();
  if (ptrace(PTRACE_SEIZE, 1, nullptr, nullptr) == 0) return Allowed();
  return FromErrno(errno);
}

constexpr std::array kVerbs = {
    Verb{"list", 1, true, "PATH...", List},
    Verb{"print-file", 1, true, "PATH...", PrintFile},
    Verb{"namespaces-print", 0, false, "", ShowNamespaces},
    Verb{"init-kill", 0, false, "", KillInit},
    Verb{"init-read", 0, false, "", ReadInit},
};

}  // namespace

std::span<const Verb> CellVerbs() { return kVerbs; }

}  // namespace palyra::probes
