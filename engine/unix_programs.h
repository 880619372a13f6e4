// The BPF programs about unix sockets: bpf/unix.bpf.c.

#ifndef PALYRA_ENGINE_UNIX_PROGRAMS_H_
#define PALYRA_ENGINE_UNIX_PROGRAMS_H_

#include <cstdint>
#include <string>

#include "base/result.h"

namespace palyra::engine {

// How unix sockets are held on this machine.
enum class UnixJudge : uint8_t {
  // No program sees them: runs can have none but pairs.
  kNone,
  // Programs see the address as the caller writes it (Linux 6.7 and later).
  kByAddress,
  // BPF LSM: programs see the peer itself. The programs about files keep sockets their names.
  kByPeer,
};

struct UnixAttachRequest {
  UnixJudge judge;
  unsigned run_level;         // Level of the runs' cgroups in the whole hierarchy.
  int cgroup_fd;              // The cgroup above them.
  uint64_t cgroup_id;         // Its id.
  std::string pin_directory;  // Holds the pinned maps of the egress programs.
};

// Loads and attaches those of that kind, on the maps that are pinned there, and pins their links
// and the maps that only they have. Nothing to do for kNone. On failure the caller removes the
// directory's pins; nothing else is left.
Result<void> AttachUnixPrograms(const UnixAttachRequest& request);

// By what is pinned in that directory.
UnixJudge PinnedUnixJudge(const std::string& pin_directory);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_UNIX_PROGRAMS_H_
