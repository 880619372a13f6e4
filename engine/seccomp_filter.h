// The filter program that every run gets; seccomp_rules.h says what it refuses.

#ifndef PALYRA_ENGINE_SECCOMP_FILTER_H_
#define PALYRA_ENGINE_SECCOMP_FILTER_H_

#include <linux/filter.h>

#include <span>

namespace palyra::engine {

struct SeccompOptions {
  // Weakening: only where another mechanism holds socket families for io_uring's own calls.
  bool allow_io_uring = false;
  // Where nothing else judges unix sockets: none but pairs. Never together with io_uring.
  bool no_unix_sockets = false;
  // Where programs are judged by path: no memory files that could be executed, which have none.
  bool no_memory_programs = false;
};

std::span<const sock_filter> SeccompFilter(const SeccompOptions& options);

// Which calls wait for their supervisor (held_calls.h).
struct HeldKinds {
  bool connects = false;  // connect()
  bool programs = false;  // execve() and execveat()
  [[nodiscard]] bool any() const { return connects || programs; }
};

// A program of its own, to be installed after the other with a listener: what that one denies is
// denied at once. Empty where no call waits.
std::span<const sock_filter> HoldFilter(HeldKinds kinds);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_SECCOMP_FILTER_H_
