// The two clocks of a deadline: the wall clock, which policies speak of and people set, and the one
// that BPF programs can read.

#ifndef PALYRA_ENGINE_CLOCK_H_
#define PALYRA_ENGINE_CLOCK_H_

#include <cstdint>
#include <optional>

namespace palyra::engine {

// CLOCK_BOOTTIME in nanoseconds: never set, and goes on while the machine sleeps.
uint64_t NowBootNs();

// CLOCK_REALTIME in milliseconds since the epoch.
int64_t NowWallMs();

// When, in CLOCK_BOOTTIME, the wall clock will reach `wall_ms` if nobody sets it; 0 for nothing,
// which the programs take for "never". A time in the past gives one in the past.
uint64_t BootDeadlineOf(std::optional<int64_t> wall_ms);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_CLOCK_H_
