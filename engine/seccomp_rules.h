// The system calls that no run may make, as rules from which libseccomp builds a filter program.
// That takes a tenth of the time in which a run starts, so it happens when Palyra is built.
//
// Everything is allowed but:
//   socket families other than AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK with NETLINK_ROUTE, which
//     no cgroup program sees, and SOCK_PACKET, which becomes one of those (EAFNOSUPPORT);
//   AF_UNIX too, but for pairs, where nothing else judges unix sockets (EAFNOSUPPORT);
//   io_uring, which makes sockets without the filter seeing the family, unless something behind it
//     holds the families (ENOSYS, so that libraries fall back);
//   new user namespaces, in which a run would hold capabilities (EPERM; clone3 gives ENOSYS,
//     because its flags lie in memory, and libraries fall back to clone);
//   entering namespaces, opening files by handle, mounting (EPERM): the owner of any user namespace
//     outside could enter it, and would hold capabilities there;
//   bpf, perf_event_open, userfaultfd, key management, limits of other processes (EPERM);
//   memory files without MFD_NOEXEC_SEAL, where programs are judged by path (EACCES);
//   pushing input into a terminal, TIOCSTI and TIOCLINUX (EPERM);
//   other system call tables, x32 and 32-bit (the process is killed).

#ifndef PALYRA_ENGINE_SECCOMP_RULES_H_
#define PALYRA_ENGINE_SECCOMP_RULES_H_

#include <linux/filter.h>

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "engine/seccomp_filter.h"

namespace palyra::engine {

// For the machine that this runs on.
Result<std::vector<sock_filter>> BuildSeccompFilter(const SeccompOptions& options);

// Everything is allowed but for the calls of `kinds`, of which a listener is told.
Result<std::vector<sock_filter>> BuildHoldFilter(HeldKinds kinds);

// `value` such that (argument & mask) == value.
struct MaskedValue {
  uint64_t mask;
  uint64_t value;
  bool operator==(const MaskedValue&) const = default;
};

// The fewest comparisons of leading bits that match exactly the values below 2^bits (bits < 64)
// that are not in `allowed`, which is ascending and below 2^bits. A filter can only compare, so an
// allowlist of arguments is written as the denial of its complement, together with everything from
// 2^bits up.
std::vector<MaskedValue> ComplementOf(const std::vector<uint64_t>& allowed, unsigned bits);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_SECCOMP_RULES_H_
