// Loading the BPF objects of bpf/: the typed wrappers over their skeletons.

#ifndef PALYRA_ENGINE_PROGRAMS_H_
#define PALYRA_ENGINE_PROGRAMS_H_

#include <array>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "engine/unix_programs.h"

namespace palyra::engine {

// Programs of bpf/egress.bpf.c, each pinned as link_<name>.
inline constexpr std::array<const char*, 13> kProgramNames = {
    "palyra_connect4",    "palyra_connect6", "palyra_sendmsg4", "palyra_sendmsg6",
    "palyra_egress",      "palyra_ingress",  "palyra_bind4",    "palyra_bind6",
    "palyra_sock_create", "palyra_recvmsg4", "palyra_recvmsg6", "palyra_getpeername4",
    "palyra_getpeername6"};

// The BPF LSM programs of the same file, pinned likewise where the kernel takes them.
inline constexpr std::array<const char*, 3> kLsmProgramNames = {
    "palyra_socket_create", "palyra_socket_receive", "palyra_socket_listen"};

struct AttachRequest {
  unsigned run_level;  // Level of the runs' cgroups in the whole hierarchy.
  int cgroup_fd;       // The cgroup above them.
  uint64_t cgroup_id;  // Its id.
  bool with_lsm;
  bool with_digests;  // The kernel tells the digests of programs.
  UnixJudge unix_judge;
  std::string pin_directory;  // Empty, on a BPF file system.
};

// Loads the egress programs, those of unix sockets and with BPF LSM those of files, attaches them
// and pins links and maps. On failure the caller removes the directory's pins; nothing else is
// left.
Result<void> LoadAttachAndPin(const AttachRequest& request);

// Whether the kernel loads BPF LSM programs; kPermissionDenied on a locked-down one. Whether they
// are called is another question: "bpf" must be in /sys/kernel/security/lsm.
Result<void> TryLoadLsmProgram();

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_PROGRAMS_H_
