// What a process that reads bytes of tools and networks gives up before it reads one.

#ifndef PALYRA_BROKER_PROCESS_SANDBOX_H_
#define PALYRA_BROKER_PROCESS_SANDBOX_H_

#include <cstddef>
#include <span>

#include "base/result.h"

namespace palyra::broker {

// For good: root (it becomes uid and gid 65534, without groups and capabilities), new programs,
// files, standard error, core dumps, more than `most_files` descriptors, and every system call
// but those that sockets and memory need and `calls` (SCMP_SYS of seccomp.h) (seccomp(2): EPERM).
// New sockets are of the Internet alone. It dies with its parent. Single-threaded callers only.
// kPermissionDenied where `most_files` is more than the caller may have.
Result<void> EnterProcessSandbox(std::span<const int> calls, size_t most_files);

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_PROCESS_SANDBOX_H_
