#include "engine/seccomp_filter.h"

#include "engine/seccomp_programs.h"

namespace palyra::engine {

std::span<const sock_filter> SeccompFilter(const SeccompOptions& options) {
  if (options.no_unix_sockets) return kSeccompProgramWithoutUnixSockets;
  if (options.allow_io_uring) return kSeccompProgramWithIoUring;
  return kSeccompProgram;
}

}  // namespace palyra::engine
