// How hard a run is isolated.

#ifndef PALYRA_ENGINE_TIER_H_
#define PALYRA_ENGINE_TIER_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "engine/spawn_step.h"

namespace palyra::engine {

enum class Tier {
  kWatch,   // The mandatory layer alone decides; for learning what a tool does.
  kGuard,   // Policies decide; the run sees the host's processes and file system.
  kCell,    // Likewise, with processes, IPC, names and a root directory of its own.
  kSealed,  // Likewise, and without any network: not even the host's loopback.
};

// "watch", "guard", "cell", "sealed".
std::string_view TierName(Tier tier);
std::optional<Tier> TierOf(std::string_view name);

// Whether it has a root directory and a PID 1 of its own.
constexpr bool IsCell(Tier tier) { return tier == Tier::kCell || tier == Tier::kSealed; }

// Everything between clone(2) and the command, in order. In a cell PID 1 takes the steps up to
// kInit, and the command's process those behind it.
std::span<const SpawnStep> StepsOf(Tier tier);

// CLONE_NEW*, without those of mounts and processes, which have steps of their own.
uint64_t NamespacesOf(Tier tier);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_TIER_H_
