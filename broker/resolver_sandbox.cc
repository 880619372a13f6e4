#include "broker/resolver_sandbox.h"

#include <seccomp.h>

#include <array>
#include <memory>

#include "broker/process_sandbox.h"

namespace palyra::broker {
namespace {

constexpr size_t kMostFiles = 1024;

constexpr std::array kCalls = {SCMP_SYS(accept4), SCMP_SYS(bind), SCMP_SYS(epoll_create1),
                               SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_wait),
                               // Which can only take away (ForbidNewSockets).
                               SCMP_SYS(seccomp), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(readv),
                               SCMP_SYS(recvmmsg), SCMP_SYS(recvmsg), SCMP_SYS(sendmmsg),
                               SCMP_SYS(sendmsg), SCMP_SYS(writev), SCMP_SYS(timerfd_settime),
                               SCMP_SYS(timerfd_create)};

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

Result<void> EnterResolverSandbox() { return EnterProcessSandbox(kCalls, kMostFiles); }

}  // namespace palyra::broker
