#include "broker/resolver_sandbox.h"

#include <seccomp.h>

#include <array>

#include "broker/process_sandbox.h"

namespace palyra::broker {
namespace {

constexpr size_t kMostFiles = 1024;

constexpr std::array kCalls = {
    SCMP_SYS(accept4),       SCMP_SYS(bind),        SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),     SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_wait),
    SCMP_SYS(poll),          SCMP_SYS(ppoll),       SCMP_SYS(readv),
    SCMP_SYS(recvmmsg),      SCMP_SYS(recvmsg),     SCMP_SYS(sendmmsg),
    SCMP_SYS(sendmsg),       SCMP_SYS(writev),      SCMP_SYS(timerfd_settime),
    SCMP_SYS(timerfd_create)};

}  // namespace

Result<void> EnterResolverSandbox() { return EnterProcessSandbox(kCalls, kMostFiles); }

}  // namespace palyra::broker
