// Connecting from somewhere else: a daemon, another cgroup, another namespace, an old descriptor.

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>

#include "tests/probes/target.h"

namespace palyra::probes {
namespace {

Outcome TcpConnect(Arguments arguments) {
  const auto target = ParseTarget(arguments[0], arguments[1]);
  if (!target) return CouldNotTry(EINVAL);
  const UniqueFd fd = OpenSocket(*target, SOCK_STREAM, 0);
  if (!fd.valid()) return FromErrno(errno);
  return ConnectAndSend(fd.get(), *target);
}

Outcome WithDetail(Outcome outcome, std::string detail) {
  outcome.detail = std::move(detail);
  return outcome;
}

std::string ErrnoText(std::string what, int error) {
  const char* name = error == 0 ? "done" : strerrorname_np(error);
  return std::move(what) + ":" + (name == nullptr ? "unknown" : name);
}

// What the daemon has to say, as it goes through the pipe.
struct DaemonReport {
  Status status;
  int error;
};

[[noreturn]] void Daemon(Arguments arguments, int parent_alive, int report) {
  char byte = 0;
  while (read(parent_alive, &byte, 1) > 0) continue;  // Ends when the last parent has.
  const Outcome outcome = TcpConnect(arguments);
  const DaemonReport result = {outcome.status, outcome.error};
  _exit(write(report, &result, sizeof(result)) == sizeof(result) ? 0 : 1);
}

// Double fork and setsid; the daemon connects once its parent is gone. Only this process stays, to
// hand on the result.
Outcome DaemonConnect(Arguments arguments) {
  std::array<int, 2> alive = {-1, -1};
  std::array<int, 2> report = {-1, -1};
  if (pipe2(alive.data(), O_CLOEXEC) != 0 || pipe2(report.data(), O_CLOEXEC) != 0) {
    return CouldNotTry(errno, "pipe");
  }
  const pid_t parent = fork();
  if (parent < 0) return FromErrno(errno);
  if (parent == 0) {
    setsid();
    const pid_t daemon = fork();
    if (daemon == 0) {
      close(alive[1]);
      Daemon(arguments, alive[0], report[1]);
    }
    _exit(daemon < 0 ? 1 : 0);
  }
  close(alive[1]);
  close(report[1]);
  waitpid(parent, nullptr, 0);
  DaemonReport result = {};
  if (read(report[0], &result, sizeof(result)) != sizeof(result)) return CouldNotTry(0, "daemon");
  return {result.status, result.error, ""};
}

// Where the cgroup2 hierarchy is mounted; empty if nowhere.
std::string CgroupMount() {
  std::ifstream mounts("/proc/self/mounts");
  for (std::string device, where, type, rest; mounts >> device >> where >> type;) {
    std::getline(mounts, rest);
    if (type == "cgroup2") return where;
  }
  return {};
}

// This process's path below the mount, from the "0::" line.
std::string OwnCgroup() {
  std::ifstream lines("/proc/self/cgroup");
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("0::")) return line.substr(3);
  }
  return {};
}

// Moves this process to `cgroup`; 0 or an errno.
int MoveTo(const std::string& cgroup) {
  const UniqueFd procs(open((cgroup + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
  if (!procs.valid()) return errno;
  return write(procs.get(), "0", 1) == 1 ? 0 : errno;
}

Outcome SubcgroupConnect(Arguments arguments) {
  const std::string mount = CgroupMount();
  if (mount.empty()) return WithDetail(TcpConnect(arguments), "no-cgroup2");
  const std::string own = mount + OwnCgroup();
  const std::string below = own + "/probe";
  int error = mkdir(below.c_str(), 0755) == 0 ? 0 : errno;
  if (error == 0) error = MoveTo(below);
  Outcome outcome = WithDetail(TcpConnect(arguments), ErrnoText("subcgroup", error));
  if (MoveTo(own) == 0) rmdir(below.c_str());
  return outcome;
}

Outcome MoveCgroupConnect(Arguments arguments) {
  const std::string mount = CgroupMount();
  if (mount.empty()) return WithDetail(TcpConnect(arguments), "no-cgroup2");
  const int error = MoveTo(mount);
  return WithDetail(TcpConnect(arguments), ErrnoText("move", error));
}

// A child born straight into the root cgroup.
Outcome CloneIntoCgroupConnect(Arguments arguments) {
  const UniqueFd root(open(CgroupMount().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return WithDetail(TcpConnect(arguments), ErrnoText("clone", errno));
  clone_args clone = {};
  clone.flags = CLONE_INTO_CGROUP;
  clone.exit_signal = SIGCHLD;
  clone.cgroup = static_cast<uint64_t>(root.get());
  const auto child = static_cast<pid_t>(syscall(SYS_clone3, &clone, sizeof(clone)));
  if (child < 0) return WithDetail(TcpConnect(arguments), ErrnoText("clone", errno));
  if (child == 0) _exit(static_cast<int>(TcpConnect(arguments).status));
  int status = 0;
  waitpid(child, &status, 0);
  const bool allowed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return allowed ? WithDetail(Allowed(), "clone:done") : WithDetail(FromErrno(EPERM), "clone:done");
}

Outcome ConnectFromNamespace(Arguments arguments, int flags) {
  if (unshare(flags) != 0) {
    const int error = errno;
    return WithDetail(TcpConnect(arguments), ErrnoText("unshare", error));
  }
  return WithDetail(TcpConnect(arguments), "unshare:done");
}

Outcome NetnsConnect(Arguments arguments) { return ConnectFromNamespace(arguments, CLONE_NEWNET); }

Outcome UserNetnsConnect(Arguments arguments) {
  return ConnectFromNamespace(arguments, CLONE_NEWUSER | CLONE_NEWNET);
}

// The network namespace of the process with that id.
Outcome EnterNetns(Arguments arguments) {
  const std::string path = std::string("/proc/") + arguments[0] + "/ns/net";
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return WithDetail(FromErrno(errno), "open");
  return setns(fd.get(), CLONE_NEWNET) == 0 ? Allowed() : FromErrno(errno);
}

Outcome UserNamespaceByUnshare(Arguments) {
  return unshare(CLONE_NEWUSER) == 0 ? Allowed() : FromErrno(errno);
}

Outcome ReapNamespaceChild(pid_t child) {
  if (child < 0) return FromErrno(errno);
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  return Allowed();
}

Outcome UserNamespaceByClone(Arguments) {
  return ReapNamespaceChild(static_cast<pid_t>(
      syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr)));
}

Outcome UserNamespaceByClone3(Arguments) {
  clone_args clone = {};
  clone.flags = CLONE_NEWUSER;
  clone.exit_signal = SIGCHLD;
  return ReapNamespaceChild(static_cast<pid_t>(syscall(SYS_clone3, &clone, sizeof(clone))));
}

// Sends through every descriptor from 3 on that came from the parent. Denied with EBADF in the
// detail if there is none.
Outcome InheritedDescriptors(Arguments) {
  std::string found;
  for (int fd = 3; fd < 1024; ++fd) {
    if (fcntl(fd, F_GETFD) < 0) continue;
    const bool sent = write(fd, kToken.data(), kToken.size()) > 0;
    found += (found.empty() ? "" : ",") + std::to_string(fd) + (sent ? "w" : "");
  }
  if (found.empty()) return {Status::kDenied, EBADF, ""};
  return WithDetail(Allowed(), "descriptors:" + found);
}

constexpr std::array kVerbs = {
    Verb{"daemon-connect", 2, false, "ADDRESS PORT", DaemonConnect},
    Verb{"subcgroup-connect", 2, false, "ADDRESS PORT", SubcgroupConnect},
    Verb{"move-cgroup-connect", 2, false, "ADDRESS PORT", MoveCgroupConnect},
    Verb{"clone-into-cgroup-connect", 2, false, "ADDRESS PORT", CloneIntoCgroupConnect},
    Verb{"netns-connect", 2, false, "ADDRESS PORT", NetnsConnect},
    Verb{"user-netns-connect", 2, false, "ADDRESS PORT", UserNetnsConnect},
    Verb{"netns-enter", 1, false, "PID", EnterNetns},
    Verb{"userns-unshare", 0, false, "", UserNamespaceByUnshare},
    Verb{"userns-clone", 0, false, "", UserNamespaceByClone},
    Verb{"userns-clone3", 0, false, "", UserNamespaceByClone3},
    Verb{"inherited-fd", 0, false, "", InheritedDescriptors},
};

}  // namespace

std::span<const Verb> EscapeVerbs() { return kVerbs; }

}  // namespace palyra::probes
