// Reaching for another process by its number, and for the kernel.

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "base/unique_fd.h"
#include "tests/probes/attempt.h"

namespace palyra::probes {
namespace {

pid_t PidOf(const std::string& word) { return static_cast<pid_t>(std::stoi(word)); }

int Kill(Words words) { return ErrnoOf(kill(PidOf(words[0]), std::stoi(words[1]))); }

// A child of this process, which is of the same run.
int KillChild(Words) {
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    while (getppid() == parent) usleep(10'000);
    _exit(0);
  }
  const int failure = ErrnoOf(kill(child, SIGTERM));
  if (failure == 0) waitpid(child, nullptr, 0);
  return failure;
}

int SignalSelf(Words) { return ErrnoOf(raise(0)); }

int SignalByPidfd(Words words) {
  const UniqueFd fd(static_cast<int>(syscall(SYS_pidfd_open, PidOf(words[0]), 0)));
  if (!fd.valid()) return ENOTRECOVERABLE;
  return ErrnoOf(syscall(SYS_pidfd_send_signal, fd.get(), 0, nullptr, 0));
}

// Signals that the kernel would send for a pipe that this process writes to.
int SetOwner(Words words) {
  std::array<int, 2> ends = {-1, -1};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return ENOTRECOVERABLE;
  const int failure = ErrnoOf(fcntl(ends[0], F_SETOWN, PidOf(words[0])));
  close(ends[0]);
  close(ends[1]);
  return failure;
}

int SetNice(Words words) {
  return ErrnoOf(setpriority(PRIO_PROCESS, static_cast<id_t>(PidOf(words[0])), 19));
}

int Attach(Words words) {
  const pid_t pid = PidOf(words[0]);
  const int failure = ErrnoOf(ptrace(PTRACE_SEIZE, pid, 0, 0));
  if (failure == 0) {
    ptrace(PTRACE_INTERRUPT, pid, 0, 0);
    waitpid(pid, nullptr, __WALL);
    ptrace(PTRACE_DETACH, pid, 0, 0);
  }
  return failure;
}

int ReadMemory(Words words) {
  char byte = 0;
  const iovec local = {.iov_base = &byte, .iov_len = 1};
  const iovec remote = {.iov_base = reinterpret_cast<void*>(1), .iov_len = 1};
  const ssize_t count = process_vm_readv(PidOf(words[0]), &local, 1, &remote, 1, 0);
  // Whoever may read finds nothing at this address.
  return count >= 0 || errno == EFAULT ? 0 : errno;
}

int TakeDescriptor(Words words) {
  const UniqueFd fd(static_cast<int>(syscall(SYS_pidfd_open, PidOf(words[0]), 0)));
  if (!fd.valid()) return ENOTRECOVERABLE;
  const UniqueFd taken(static_cast<int>(syscall(SYS_pidfd_getfd, fd.get(), 0, 0)));
  return taken.valid() ? 0 : errno;
}

int OpenMemory(Words words) {
  const UniqueFd fd(open(("/proc/" + words[0] + "/mem").c_str(), O_RDONLY | O_CLOEXEC));
  return fd.valid() ? 0 : errno;
}

int ReadEnvironment(Words words) {
  const UniqueFd fd(open(("/proc/" + words[0] + "/environ").c_str(), O_RDONLY | O_CLOEXEC));
  char byte = 0;
  if (!fd.valid()) return errno;
  return read(fd.get(), &byte, 1) < 0 ? errno : 0;
}

int TraceMe(Words) {
  const pid_t child = fork();
  if (child == 0) {
    _exit(ErrnoOf(ptrace(PTRACE_TRACEME, 0, 0, 0)));
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : ENOTRECOVERABLE;
}

// ---- The kernel ----

int Mount(Words words) { return ErrnoOf(mount("tmpfs", words[0].c_str(), "tmpfs", 0, nullptr)); }
int BindMount(Words words) {
  return ErrnoOf(mount(words[0].c_str(), words[1].c_str(), nullptr, MS_BIND, nullptr));
}
int Remount(Words words) {
  return ErrnoOf(mount(nullptr, words[0].c_str(), nullptr, MS_REMOUNT | MS_BIND, nullptr));
}
int Unmount(Words words) { return ErrnoOf(umount2(words[0].c_str(), MNT_DETACH)); }

int MoveMount(Words words) {
  const long tree = syscall(SYS_open_tree, AT_FDCWD, words[0].c_str(), 1 /* OPEN_TREE_CLONE */);
  if (tree < 0) return errno;
  const int failure = ErrnoOf(syscall(SYS_move_mount, tree, "", AT_FDCWD, words[1].c_str(),
                                      4 /* MOVE_MOUNT_F_EMPTY_PATH */));
  close(static_cast<int>(tree));
  return failure;
}

int PivotRoot(Words words) {
  return ErrnoOf(syscall(SYS_pivot_root, words[0].c_str(), words[0].c_str()));
}

template <typename Call>
int InChild(Call call) {
  const pid_t child = fork();
  if (child == 0) _exit(call());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : ENOTRECOVERABLE;
}

int ChangeRoot(Words words) {
  return InChild([&] { return ErrnoOf(chroot(words[0].c_str())); });
}

int MakeUserNamespace(Words) {
  return InChild([] { return ErrnoOf(unshare(CLONE_NEWUSER)); });
}

int CallBpf(Words) {
  bpf_attr attributes = {};
  return ErrnoOf(syscall(SYS_bpf, BPF_MAP_GET_NEXT_ID, &attributes, sizeof(attributes)));
}

int OpenPerfEvent(Words) {
  perf_event_attr attributes = {};
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.size = sizeof(attributes);
  attributes.config = PERF_COUNT_SW_CPU_CLOCK;
  const UniqueFd fd(static_cast<int>(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0UL)));
  return fd.valid() ? 0 : errno;
}

constexpr std::array kProcessAttempts = {
    Attempt{"kill", 2, Kill},
    Attempt{"kill-child", 0, KillChild},
    Attempt{"signal-self", 0, SignalSelf},
    Attempt{"signal-by-pidfd", 1, SignalByPidfd},
    Attempt{"set-owner", 1, SetOwner},
    Attempt{"set-nice", 1, SetNice},
    Attempt{"attach", 1, Attach},
    Attempt{"read-memory", 1, ReadMemory},
    Attempt{"take-descriptor", 1, TakeDescriptor},
    Attempt{"open-memory", 1, OpenMemory},
    Attempt{"read-environment", 1, ReadEnvironment},
    Attempt{"trace-me", 0, TraceMe},
};

constexpr std::array kControlAttempts = {
    Attempt{"mount", 1, Mount},          Attempt{"bind-mount", 2, BindMount},
    Attempt{"remount", 1, Remount},      Attempt{"unmount", 1, Unmount},
    Attempt{"move-mount", 2, MoveMount}, Attempt{"pivot-root", 1, PivotRoot},
    Attempt{"chroot", 1, ChangeRoot},    Attempt{"user-namespace", 0, MakeUserNamespace},
    Attempt{"bpf", 0, CallBpf},          Attempt{"perf-event", 0, OpenPerfEvent},
};

}  // namespace

std::span<const Attempt> ProcessAttempts() { return kProcessAttempts; }
std::span<const Attempt> ControlAttempts() { return kControlAttempts; }

}  // namespace palyra::probes
