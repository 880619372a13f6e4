// The system calls that no run may make, as a filter program built by libseccomp.
//
// Everything is allowed but:
//   socket families other than AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK with NETLINK_ROUTE, which
//   no
//     cgroup program sees, and SOCK_PACKET, which becomes one of those (EAFNOSUPPORT);
//   io_uring, which makes sockets without the filter seeing the family, unless something behind it
//     holds the families (ENOSYS, so that libraries fall back);
//   new user namespaces, in which a run would hold capabilities (EPERM; clone3 gives ENOSYS,
//   because
//     its flags lie in memory, and libraries fall back to clone);
//   entering namespaces, opening files by handle, mounting (EPERM): the owner of any user namespace
//     outside could enter it, and would hold capabilities there;
//   bpf, perf_event_open, userfaultfd, key management, limits of other processes (EPERM);
//   pushing input into a terminal, TIOCSTI and TIOCLINUX (EPERM);
//   other system call tables, x32 and 32-bit (the process is killed).

#ifndef PALYRA_ENGINE_SECCOMP_FILTER_H_
#define PALYRA_ENGINE_SECCOMP_FILTER_H_

#include <linux/filter.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "base/result.h"

namespace palyra::engine {

struct SeccompOptions {
  // Weakening: only where another mechanism holds socket families for io_uring's own calls.
  bool allow_io_uring = false;
};

Result<std::vector<sock_filter>> BuildSeccompFilter(const SeccompOptions& options);

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

#endif  // PALYRA_ENGINE_SECCOMP_FILTER_H_
