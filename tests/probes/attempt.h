// Attempts at files, programs, processes and the kernel, many in one process: `palyra_probe try`
// takes them one after the other, with a "," between them, and prints a line for each.

#ifndef PALYRA_TESTS_PROBES_ATTEMPT_H_
#define PALYRA_TESTS_PROBES_ATTEMPT_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace palyra::probes {

using Words = std::span<const std::string>;

struct Attempt {
  std::string_view name;
  size_t argument_count;
  int (*run)(Words);  // 0 or errno.
};

std::span<const Attempt> FileAttempts();
std::span<const Attempt> NameAttempts();
std::span<const Attempt> ProgramAttempts();
std::span<const Attempt> ProcessAttempts();
std::span<const Attempt> ControlAttempts();
std::span<const Attempt> IoctlAttempts();
std::span<const Attempt> PlaceAttempts();
std::span<const Attempt> RingAttempts();

// To nothing, by io_uring: 0 or errno, EINVAL before Linux 6.9.
int TruncateByRing(int fd);

// 0 where the call succeeded, else errno.
inline int ErrnoOf(long result) { return result < 0 ? errno : 0; }

}  // namespace palyra::probes

#endif  // PALYRA_TESTS_PROBES_ATTEMPT_H_
