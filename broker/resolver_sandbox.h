// What the resolver's process gives up before it reads a byte from anybody.

#ifndef PALYRA_BROKER_RESOLVER_SANDBOX_H_
#define PALYRA_BROKER_RESOLVER_SANDBOX_H_

#include "base/result.h"

namespace palyra::broker {

// For good: root (it becomes uid and gid 65534, without groups and capabilities), new programs,
// files, standard error, core dumps, and every system call that serving DNS over sockets does not
// need (seccomp(2): EPERM). It dies with its parent. Single-threaded callers only.
Result<void> EnterResolverSandbox();

// And then, for good: no new socket, and none connected (EPERM). What is left are the sockets at
// which it is asked, which are bound to loopback and lead nowhere else.
Result<void> ForbidNewSockets();

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_RESOLVER_SANDBOX_H_
