// What a run may leave behind, seen from outside: cgroups, map entries, processes.

#ifndef PALYRA_TESTS_SUPPORT_KERNEL_STATE_H_
#define PALYRA_TESTS_SUPPORT_KERNEL_STATE_H_

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <iosfwd>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/subprocess.h"

namespace palyra::tests {

struct KernelState {
  std::set<std::string> cgroups;  // Below "palyra" of every cgroup hierarchy, recursively.
  // By pin below /sys/fs/bpf/palyra: hashes and tries but for those of profiles, which are kept for
  // the next run with equal rules.
  std::map<std::string, size_t> map_entries;
  size_t incomplete_profiles = 0;        // What somebody began to write and did not finish.
  bool keeps_too_many_profiles = false;  // More than the bound, live runs apart.
  bool operator==(const KernelState&) const = default;
};

std::ostream& operator<<(std::ostream& stream, const KernelState& state);

// Needs root.
KernelState ReadKernelState();

// Reads it until it is `expected` or the time is up; what was read last.
KernelState AwaitKernelState(const KernelState& expected,
                             std::chrono::milliseconds limit = std::chrono::seconds(10));

// The probe processes, dead ones apart, with `mark` among their arguments.
std::vector<pid_t> ProbesMarked(std::string_view mark);

// Waits for those processes to end; false at the deadline.
bool AwaitEnd(const std::vector<pid_t>& pids, std::chrono::milliseconds limit = kPatience);

}  // namespace palyra::tests

#endif  // PALYRA_TESTS_SUPPORT_KERNEL_STATE_H_
