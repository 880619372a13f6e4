#include "engine/run_usage.h"

#include <charconv>
#include <string_view>

#include "base/file.h"

namespace palyra::engine {
namespace {

constexpr uint64_t kMicrosecondsPerSecond = 1'000'000;
constexpr uint64_t kBytesPerBlock = 512;  // Of getrusage(2).
constexpr uint64_t kBytesPerKilobyte = 1024;
constexpr const char* kWaited = "rusage of the command and what it waited for";

std::optional<uint64_t> NumberAt(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() ? std::optional(number) : std::nullopt;
}

// The sum of all numbers that follow `key`; nothing where it is not there.
std::optional<uint64_t> SumOf(std::string_view text, std::string_view key) {
  std::optional<uint64_t> sum;
  for (size_t at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
    sum = sum.value_or(0) + NumberAt(text.substr(at + key.size())).value_or(0);
  }
  return sum;
}

Used Of(std::optional<uint64_t> counted, const char* source, uint64_t otherwise) {
  if (counted) return {.amount = *counted, .source = source};
  return {.amount = otherwise, .source = kWaited};
}

uint64_t Microseconds(const timeval& time) {
  return static_cast<uint64_t>(time.tv_sec) * kMicrosecondsPerSecond +
         static_cast<uint64_t>(time.tv_usec);
}

}  // namespace

RunUsage ReadUsage(const std::string& cgroup, const rusage& waited) {
  const Result<std::string> cpu = base::ReadFile(cgroup + "/cpu.stat");
  const Result<std::string> memory = base::ReadFile(cgroup + "/memory.peak");
  const Result<std::string> io = base::ReadFile(cgroup + "/io.stat");
  // Without a line nothing was read or written.
  const auto bytes = [&](const char* key) -> std::optional<uint64_t> {
    return io ? std::optional(SumOf(*io, key).value_or(0)) : std::nullopt;
  };
  return {.cpu_us = Of(cpu ? SumOf(*cpu, "usage_usec ") : std::nullopt, "cgroup v2 cpu.stat",
                       Microseconds(waited.ru_utime) + Microseconds(waited.ru_stime)),
          .memory_peak = Of(memory ? NumberAt(*memory) : std::nullopt, "cgroup v2 memory.peak",
                            static_cast<uint64_t>(waited.ru_maxrss) * kBytesPerKilobyte),
          .io_read = Of(bytes("rbytes="), "cgroup v2 io.stat",
                        static_cast<uint64_t>(waited.ru_inblock) * kBytesPerBlock),
          .io_written = Of(bytes("wbytes="), "cgroup v2 io.stat",
                           static_cast<uint64_t>(waited.ru_oublock) * kBytesPerBlock)};
}

}  // namespace palyra::engine
