#include "engine/run_limits.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/quantity.h"

namespace palyra::engine {
namespace {

using std::chrono::milliseconds;

// As many as a kernel counts (PID_MAX_LIMIT), opens (the most that fs.nr_open can be) and has.
constexpr uint64_t kMostProcesses = uint64_t{1} << 22;
constexpr uint64_t kMostOpenFiles = uint64_t{1} << 30;
constexpr double kMostProcessors = 8192;

constexpr std::array<LimitInfo, 9> kLimits = {{
    {LimitKind::kMemory, "memory", "SIZE",
     "memory of the whole run, with what it has in caches and tmpfs; the run ends when it needs "
     "more"},
    {LimitKind::kSwap, "swap", "SIZE", "swap beside --memory; none where that is given alone"},
    {LimitKind::kProcesses, "pids", "N", "processes and threads; the run ends at one more"},
    {LimitKind::kProcessors, "cpus", "N", "processors' worth of time, as 0.5; it only slows down"},
    {LimitKind::kCpuTime, "cpu-time", "TIME",
     "processor time of all processes together (s, m or h); then the run ends"},
    {LimitKind::kIo, "io", "RATE",
     "bytes read and bytes written in a second on each disk, as 10M; it only slows down"},
    {LimitKind::kOutput, "output-limit", "SIZE",
     "bytes on stdout, and as many on stderr; the run ends at one more"},
    {LimitKind::kDisk, "disk", "SIZE", "bytes of the largest file that it writes"},
    {LimitKind::kOpenFiles, "open-files", "N", "files that each process has open at once"},
}};

using Number = std::optional<uint64_t>;

// All limits but the CPU time are numbers.
Number RunLimits::* NumberOf(LimitKind kind) {
  switch (kind) {
    case LimitKind::kMemory:
      return &RunLimits::memory;
    case LimitKind::kSwap:
      return &RunLimits::swap;
    case LimitKind::kProcesses:
      return &RunLimits::processes;
    case LimitKind::kProcessors:
      return &RunLimits::processors;
    case LimitKind::kCpuTime:
      return nullptr;
    case LimitKind::kIo:
      return &RunLimits::io;
    case LimitKind::kOutput:
      return &RunLimits::output;
    case LimitKind::kDisk:
      return &RunLimits::disk;
    case LimitKind::kOpenFiles:
      return &RunLimits::open_files;
  }
  std::unreachable();
}

// In thousandths; the kernel takes no less than a hundredth.
Result<uint64_t> ParseProcessors(std::string_view text) {
  double count = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), count, std::chars_format::fixed);
  const bool is_whole = error == std::errc() && end == text.data() + text.size();
  if (is_whole && count >= 0.01 && count <= kMostProcessors) {
    return static_cast<uint64_t>(std::llround(count * 1000));
  }
  return Fail(ErrorCode::kInvalidArgument,
              '"' + std::string(text) +
                  "\" is no number of processors; write one from 0.01 to 8192, as 0.5 or 2");
}

Result<uint64_t> ParseNumber(LimitKind kind, std::string_view text) {
  switch (kind) {
    case LimitKind::kProcesses:
      return base::ParseCount(text, kMostProcesses);
    case LimitKind::kOpenFiles:
      return base::ParseCount(text, kMostOpenFiles);
    case LimitKind::kProcessors:
      return ParseProcessors(text);
    default:
      return base::ParseSize(text);
  }
}

bool MayBeZero(LimitKind kind) {
  return kind == LimitKind::kSwap || kind == LimitKind::kOutput || kind == LimitKind::kDisk;
}

// Three decimals at most, without zeros at the end.
std::string ThousandthsText(uint64_t thousandths) {
  const std::string text = std::to_string(thousandths / 1000);
  std::string decimals = std::to_string(1000 + thousandths % 1000).substr(1);
  while (decimals.ends_with('0')) decimals.pop_back();
  return decimals.empty() ? text : text + '.' + decimals;
}

}  // namespace

const std::array<LimitInfo, 9>& AllLimits() { return kLimits; }

const LimitInfo& InfoOf(LimitKind kind) { return kLimits.at(static_cast<size_t>(kind)); }

const LimitInfo* FindLimit(std::string_view name) {
  const auto* const found = std::ranges::find(kLimits, name, &LimitInfo::name);
  return found == kLimits.end() ? nullptr : found;
}

Result<void> SetLimit(LimitKind kind, std::string_view text, RunLimits& limits) {
  if (kind == LimitKind::kCpuTime) {
    const Result<milliseconds> time = base::ParseDuration(text);
    if (!time) return std::unexpected(time.error());
    limits.cpu_time = *time;
    return {};
  }
  const Result<uint64_t> number = ParseNumber(kind, text);
  if (!number) return std::unexpected(number.error());
  if (*number == 0 && !MayBeZero(kind)) {
    return Fail(ErrorCode::kInvalidArgument, "nothing runs with none; write more than 0");
  }
  limits.*NumberOf(kind) = *number;
  return {};
}

Result<void> CheckLimits(const RunLimits& limits) {
  if (!limits.swap || limits.memory) return {};
  return Fail(ErrorCode::kInvalidArgument, "--swap: it comes beside --memory; write that too");
}

void FillIn(const RunLimits& defaults, RunLimits& limits) {
  // Swap goes with its memory.
  const bool has_memory = limits.memory.has_value();
  for (const LimitInfo& info : kLimits) {
    if (info.kind == LimitKind::kSwap && has_memory) continue;
    Number RunLimits::* const number = NumberOf(info.kind);
    if (number != nullptr && !(limits.*number)) limits.*number = defaults.*number;
  }
  if (!limits.cpu_time) limits.cpu_time = defaults.cpu_time;
}

bool IsSet(const RunLimits& limits, LimitKind kind) {
  Number RunLimits::* const number = NumberOf(kind);
  return number == nullptr ? limits.cpu_time.has_value() : (limits.*number).has_value();
}

std::string LimitText(const RunLimits& limits, LimitKind kind) {
  if (!IsSet(limits, kind)) return "";
  switch (kind) {
    case LimitKind::kCpuTime:
      return ThousandthsText(static_cast<uint64_t>(limits.cpu_time->count())) + " s";
    case LimitKind::kProcessors:
      return ThousandthsText(*limits.processors);
    case LimitKind::kProcesses:
    case LimitKind::kOpenFiles:
      return std::to_string(*(limits.*NumberOf(kind)));
    case LimitKind::kIo:
      return base::SizeText(*limits.io) + "/s";
    default:
      return base::SizeText(*(limits.*NumberOf(kind)));
  }
}

}  // namespace palyra::engine
