#include "broker/relay_sandbox.h"

#include <seccomp.h>

#include <array>

#include "broker/process_sandbox.h"
#include "broker/relay_options.h"

namespace palyra::broker {
namespace {

// A busy connection has its two sockets and two pipes.
constexpr size_t kFilesOfConnection = 6;
constexpr size_t kMostFiles = RelayOptions().max_connections * kFilesOfConnection + 256;

constexpr std::array kCalls = {SCMP_SYS(io_uring_enter), SCMP_SYS(pipe2), SCMP_SYS(rt_sigtimedwait),
                               SCMP_SYS(splice)};

}  // namespace

Result<void> EnterRelaySandbox() { return EnterProcessSandbox(kCalls, kMostFiles); }

}  // namespace palyra::broker
