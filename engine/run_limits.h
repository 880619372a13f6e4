// What a run may use at most: all of its processes together, where nothing else is said.
// docs/limits.md says what happens at each limit.

#ifndef PALYRA_ENGINE_RUN_LIMITS_H_
#define PALYRA_ENGINE_RUN_LIMITS_H_

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace palyra::engine {

enum class LimitKind {
  kMemory,
  kSwap,
  kProcesses,
  kProcessors,
  kCpuTime,
  kIo,
  kOutput,
  kDisk,
  kOpenFiles,
};

// Each is absent where nobody set it.
struct RunLimits {
  std::optional<uint64_t> memory = std::nullopt;  // Bytes.
  std::optional<uint64_t> swap =
      std::nullopt;  // Bytes, beside the memory; none where only that is set.
  std::optional<uint64_t> processes = std::nullopt;   // Threads count as processes.
  std::optional<uint64_t> processors = std::nullopt;  // In thousandths of one.
  std::optional<std::chrono::milliseconds> cpu_time = std::nullopt;
  std::optional<uint64_t> io = std::nullopt;  // Bytes per second and disk: of reads, and of writes.
  std::optional<uint64_t> output =
      std::nullopt;  // Bytes on standard output, and as many on standard error.
  std::optional<uint64_t> disk = std::nullopt;        // Bytes of the largest file.
  std::optional<uint64_t> open_files = std::nullopt;  // Of each process.
  bool operator==(const RunLimits&) const = default;
};

struct LimitInfo {
  LimitKind kind;
  std::string_view name;     // As an option has it after the dashes: "memory", "cpu-time".
  std::string_view value;    // What it takes: "SIZE".
  std::string_view purpose;  // For help.
};

// In the order of the enumeration.
const std::array<LimitInfo, 9>& AllLimits();
const LimitInfo& InfoOf(LimitKind kind);

// Of that name; null where there is none.
const LimitInfo* FindLimit(std::string_view name);

// kInvalidArgument, without the limit's name, where `text` is no such value.
Result<void> SetLimit(LimitKind kind, std::string_view text, RunLimits& limits);

// Whether they can stand together. kInvalidArgument.
Result<void> CheckLimits(const RunLimits& limits);

// Sets what is absent in `limits` to what `defaults` say.
void FillIn(const RunLimits& defaults, RunLimits& limits);

bool IsSet(const RunLimits& limits, LimitKind kind);

// "64 MiB", "1.5 s"; empty where it is not set.
std::string LimitText(const RunLimits& limits, LimitKind kind);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_RUN_LIMITS_H_
