#include "engine/tree_usage.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/file.h"

namespace palyra::engine {
namespace {

constexpr uint64_t kKibibyte = 1024;

// The sum of `names`, which have kibibytes, in a file of each process.
uint64_t SumOf(const std::vector<pid_t>& pids, const char* file, std::string_view first,
               std::string_view second) {
  uint64_t sum = 0;
  for (const pid_t pid : pids) {
    const Result<std::string> text = base::ReadFile("/proc/" + std::to_string(pid) + file);
    if (!text) continue;
    sum += NumberAfter(*text, first).value_or(0) + NumberAfter(*text, second).value_or(0);
  }
  return sum * kKibibyte;
}

}  // namespace

std::optional<uint64_t> NumberAfter(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.starts_with(name)) continue;
    line.remove_prefix(name.size());
    const size_t digits = line.find_first_not_of(" \t");
    if (digits == std::string_view::npos || digits == 0) continue;
    line.remove_prefix(digits);
    uint64_t number = 0;
    if (std::from_chars(line.data(), line.data() + line.size(), number).ec == std::errc()) {
      return number;
    }
  }
  return std::nullopt;
}

Result<std::chrono::microseconds> CpuTimeOf(const Cgroup& cgroup) {
  const Result<std::string> text = base::ReadFile(cgroup.path() + "/cpu.stat");
  if (!text) return std::unexpected(text.error());
  const std::optional<uint64_t> time = NumberAfter(*text, "usage_usec");
  if (!time) return Fail(ErrorCode::kUnsupported, "the kernel does not count processor time");
  return std::chrono::microseconds(*time);
}

Result<uint64_t> CountThreads(const Cgroup& cgroup) {
  const Result<std::string> text = base::ReadFile(cgroup.path() + "/cgroup.threads");
  if (!text) return std::unexpected(text.error());
  return static_cast<uint64_t>(std::ranges::count(*text, '\n'));
}

uint64_t MappedMemoryOf(const Cgroup& cgroup, uint64_t enough) {
  const std::vector<pid_t> pids = MembersOf(cgroup.path());
  const uint64_t bound = SumOf(pids, "/status", "VmRSS:", "VmSwap:");
  // The exact sum walks all page tables.
  return bound <= enough ? bound : SumOf(pids, "/smaps_rollup", "Pss:", "SwapPss:");
}

}  // namespace palyra::engine
