#include "engine/seccomp_filter.h"

#include "engine/seccomp_programs.h"

namespace palyra::engine {

std::span<const sock_filter> SeccompFilter(const SeccompOptions& options) {
  const bool files = options.no_memory_programs;
  if (options.no_unix_sockets) {
    return files ? std::span<const sock_filter>(kSeccompProgramOfFilesWithoutUnixSockets)
                 : std::span<const sock_filter>(kSeccompProgramWithoutUnixSockets);
  }
  if (options.allow_io_uring) {
    return files ? std::span<const sock_filter>(kSeccompProgramOfFilesWithIoUring)
                 : std::span<const sock_filter>(kSeccompProgramWithIoUring);
  }
  return files ? std::span<const sock_filter>(kSeccompProgramOfFiles)
               : std::span<const sock_filter>(kSeccompProgram);
}

std::span<const sock_filter> HoldFilter(HeldKinds kinds) {
  if (kinds.connects && kinds.programs) return kHoldProgram;
  if (kinds.connects) return kHoldProgramOfConnects;
  return kinds.programs ? std::span<const sock_filter>(kHoldProgramOfPrograms)
                        : std::span<const sock_filter>();
}

}  // namespace palyra::engine
