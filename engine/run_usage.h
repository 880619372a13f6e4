// What a run has used, read when it has ended and its cgroup is still there.

#ifndef PALYRA_ENGINE_RUN_USAGE_H_
#define PALYRA_ENGINE_RUN_USAGE_H_

#include <sys/resource.h>

#include <cstdint>
#include <optional>
#include <string>

namespace palyra::engine {

struct Used {
  uint64_t amount = 0;
  std::string source;  // "cgroup v2 cpu.stat"
  bool operator==(const Used&) const = default;
};

struct RunUsage {
  Used cpu_us;       // User and system time.
  Used memory_peak;  // Bytes.
  Used io_read;      // Bytes from and to disks.
  Used io_written;
  // Bytes on stdout and stderr; nothing where they do not pass through the supervisor.
  std::optional<Used> output = std::nullopt;
};

// From the cgroup where it counts that. Else from `waited`, of the command and what it has waited
// for (wait4(2)): other processes are missing there, and the peak is that of the largest process.
RunUsage ReadUsage(const std::string& cgroup, const rusage& waited);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_RUN_USAGE_H_
