#include "broker/process_sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include "base/unique_fd.h"

namespace palyra::broker {
namespace {

constexpr uid_t kNobody = 65534;

// What every one of them calls, and libc on its behalf.
constexpr std::array kCommonCalls = {SCMP_SYS(brk),
                                     SCMP_SYS(clock_gettime),
                                     SCMP_SYS(close),
                                     SCMP_SYS(connect),
                                     SCMP_SYS(exit),
                                     SCMP_SYS(exit_group),
                                     SCMP_SYS(futex),
                                     SCMP_SYS(getpeername),
                                     SCMP_SYS(getrandom),
                                     SCMP_SYS(getsockname),
                                     SCMP_SYS(getsockopt),
                                     SCMP_SYS(gettimeofday),
                                     SCMP_SYS(madvise),
                                     SCMP_SYS(mmap),
                                     SCMP_SYS(mremap),
                                     SCMP_SYS(munmap),
                                     SCMP_SYS(read),
                                     SCMP_SYS(recvfrom),
                                     SCMP_SYS(restart_syscall),
                                     SCMP_SYS(rt_sigprocmask),
                                     SCMP_SYS(rt_sigreturn),
                                     SCMP_SYS(sendto),
                                     SCMP_SYS(setsockopt),
                                     SCMP_SYS(shutdown),
                                     SCMP_SYS(write)};

Result<void> LeaveRoot() {
  if (geteuid() != 0) return {};
  if (setgroups(0, nullptr) != 0 || setresgid(kNobody, kNobody, kNobody) != 0 ||
      setresuid(kNobody, kNobody, kNobody) != 0) {
    return FailErrno(errno, "cannot give up root");
  }
  return {};
}

// Whom it was started by would take what it writes for the tool's.
Result<void> LeaveStreams() {
  const UniqueFd nothing(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!nothing.valid() || dup2(nothing.get(), STDERR_FILENO) < 0 || chdir("/") != 0) {
    return FailErrno(errno, "cannot leave the caller's streams and directory");
  }
  return {};
}

Result<void> SetLimits(size_t most_files) {
  constexpr rlimit kNoCore = {.rlim_cur = 0, .rlim_max = 0};
  const rlimit files = {.rlim_cur = most_files, .rlim_max = most_files};
  if (setrlimit(RLIMIT_CORE, &kNoCore) != 0 || setrlimit(RLIMIT_NOFILE, &files) != 0) {
    return FailErrno(errno, "cannot limit the process");
  }
  return {};
}

// Sockets of the Internet alone.
int AllowSockets(scmp_filter_ctx filter) {
  for (const int family : {AF_INET, AF_INET6}) {
    const scmp_arg_cmp is_family = {
        .arg = 0, .op = SCMP_CMP_EQ, .datum_a = static_cast<scmp_datum_t>(family), .datum_b = 0};
    const int failure =
        seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, &is_family);
    if (failure != 0) return failure;
  }
  return 0;
}

// Flags and the size of pipes: not F_SETOWN and F_SETSIG, which send signals to others.
int AllowFcntl(scmp_filter_ctx filter) {
  for (const int command : {F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETPIPE_SZ, F_SETPIPE_SZ}) {
    const scmp_arg_cmp is_command = {
        .arg = 1, .op = SCMP_CMP_EQ, .datum_a = static_cast<scmp_datum_t>(command), .datum_b = 0};
    const int failure =
        seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, &is_command);
    if (failure != 0) return failure;
  }
  return 0;
}

Result<void> EnterSeccomp(std::span<const int> calls) {
  const std::unique_ptr<void, void (*)(void*)> filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)),
                                                      seccomp_release);
  if (filter == nullptr) return Fail(ErrorCode::kExhausted, "no memory for a seccomp filter");
  int failure = AllowSockets(filter.get());
  if (failure == 0) failure = AllowFcntl(filter.get());
  for (const std::span<const int> part : {std::span<const int>(kCommonCalls), calls}) {
    for (const int call : part) {
      if (failure == 0) failure = seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0);
    }
  }
  if (failure == 0) failure = seccomp_load(filter.get());
  if (failure != 0) return FailErrno(-failure, "cannot enter a seccomp filter");
  return {};
}

}  // namespace

Result<void> EnterProcessSandbox(std::span<const int> calls, size_t most_files) {
  const pid_t parent = getppid();
  if (Result<void> left = LeaveStreams(); !left) return left;
  // Before root is given up: it may take more descriptors than the caller had.
  if (Result<void> limited = SetLimits(most_files); !limited) return limited;
  if (Result<void> left = LeaveRoot(); !left) return left;
  // After the change of user, which clears both.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0 ||
      prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return FailErrno(errno, "cannot set up the sandbox");
  }
  if (getppid() != parent) return Fail(ErrorCode::kUnavailable, "the parent is gone");
  return EnterSeccomp(calls);
}

}  // namespace palyra::broker
