#include "broker/resolver_sandbox.h"

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
constexpr rlim_t kMostFiles = 1024;

constexpr std::array kCalls = {
    SCMP_SYS(accept4),         SCMP_SYS(bind),           SCMP_SYS(brk),
    SCMP_SYS(clock_gettime),   SCMP_SYS(close),          SCMP_SYS(connect),
    SCMP_SYS(epoll_create1),   SCMP_SYS(epoll_ctl),      SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_wait),      SCMP_SYS(exit),           SCMP_SYS(exit_group),
    SCMP_SYS(fcntl),           SCMP_SYS(futex),          SCMP_SYS(getpeername),
    SCMP_SYS(getrandom),       SCMP_SYS(getsockname),    SCMP_SYS(getsockopt),
    SCMP_SYS(gettimeofday),    SCMP_SYS(madvise),        SCMP_SYS(mmap),
    SCMP_SYS(mremap),          SCMP_SYS(munmap),         SCMP_SYS(poll),
    SCMP_SYS(ppoll),           SCMP_SYS(read),           SCMP_SYS(readv),
    SCMP_SYS(recvfrom),        SCMP_SYS(recvmmsg),       SCMP_SYS(recvmsg),
    SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sendmmsg),        SCMP_SYS(sendmsg),        SCMP_SYS(sendto),
    SCMP_SYS(setsockopt),      SCMP_SYS(shutdown),       SCMP_SYS(timerfd_settime),
    SCMP_SYS(timerfd_create),  SCMP_SYS(write),          SCMP_SYS(writev)};

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

Result<void> SetLimits() {
  constexpr rlimit kNoCore = {.rlim_cur = 0, .rlim_max = 0};
  constexpr rlimit kFiles = {.rlim_cur = kMostFiles, .rlim_max = kMostFiles};
  if (setrlimit(RLIMIT_CORE, &kNoCore) != 0 || setrlimit(RLIMIT_NOFILE, &kFiles) != 0) {
    return FailErrno(errno, "cannot limit the resolver");
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

Result<void> EnterSeccomp() {
  const std::unique_ptr<void, void (*)(void*)> filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)),
                                                      seccomp_release);
  if (filter == nullptr) return Fail(ErrorCode::kExhausted, "no memory for a seccomp filter");
  int failure = AllowSockets(filter.get());
  for (const int call : kCalls) {
    if (failure == 0) failure = seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0);
  }
  // Which can only take away (ForbidNewSockets).
  if (failure == 0) failure = seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(seccomp), 0);
  if (failure == 0) failure = seccomp_load(filter.get());
  if (failure != 0) return FailErrno(-failure, "cannot enter a seccomp filter");
  return {};
}

}  // namespace

Result<void> ForbidNewSockets() {
  const std::unique_ptr<void, void (*)(void*)> filter(seccomp_init(SCMP_ACT_ALLOW),
                                                      seccomp_release);
  if (filter == nullptr) return Fail(ErrorCode::kExhausted, "no memory for a seccomp filter");
  // no_new_privs is set already, and prctl(2) is forbidden by now.
  int failure = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_NNP, 0);
  for (const int call : {SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(seccomp)}) {
    if (failure == 0) failure = seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), call, 0);
  }
  if (failure == 0) failure = seccomp_load(filter.get());
  if (failure != 0) return FailErrno(-failure, "cannot give up sockets");
  return {};
}

Result<void> EnterResolverSandbox() {
  const pid_t parent = getppid();
  if (Result<void> left = LeaveStreams(); !left) return left;
  if (Result<void> left = LeaveRoot(); !left) return left;
  // After the change of user, which clears both.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0 ||
      prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return FailErrno(errno, "cannot set up the resolver");
  }
  if (getppid() != parent) return Fail(ErrorCode::kUnavailable, "who started the resolver is gone");
  if (Result<void> limited = SetLimits(); !limited) return limited;
  return EnterSeccomp();
}

}  // namespace palyra::broker
