#include "engine/clock.h"

#include <algorithm>
#include <ctime>
#include <limits>

namespace palyra::engine {
namespace {

constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;
constexpr int64_t kNanosecondsPerMillisecond = 1'000'000;

int64_t NowNs(clockid_t clock) {
  timespec now = {};
  clock_gettime(clock, &now);
  return now.tv_sec * kNanosecondsPerSecond + now.tv_nsec;
}

}  // namespace

uint64_t NowBootNs() { return static_cast<uint64_t>(NowNs(CLOCK_BOOTTIME)); }

int64_t NowWallMs() { return NowNs(CLOCK_REALTIME) / kNanosecondsPerMillisecond; }

uint64_t BootDeadlineOf(std::optional<int64_t> wall_ms) {
  if (!wall_ms) return 0;
  const int64_t wall = NowNs(CLOCK_REALTIME);
  const int64_t boot = NowNs(CLOCK_BOOTTIME);
  // Half of the range is 146 years: no difference and no sum below can overflow.
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / 2 / kNanosecondsPerMillisecond;
  const int64_t left = std::clamp(*wall_ms, -kMost, kMost) * kNanosecondsPerMillisecond - wall;
  return static_cast<uint64_t>(std::max<int64_t>(boot + left, 1));
}

}  // namespace palyra::engine
