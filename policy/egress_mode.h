// How a run is held to its policies on the network: `palyra-run --egress`. A mode only narrows.

#ifndef PALYRA_POLICY_EGRESS_MODE_H_
#define PALYRA_POLICY_EGRESS_MODE_H_

#include <cstdint>
#include <optional>
#include <string_view>

namespace palyra::policy {

enum class EgressEnforcementMode : uint8_t {
  kNone,       // Offline: no action net.* is allowed, on loopback either.
  kPreflight,  // Names are resolved once, before the run begins; no DNS inside.
  kStrict,     // Every packet by policy, names are looked up as the run asks.
};

// "none", "preflight", "strict"
std::string_view EgressModeName(EgressEnforcementMode mode);
// Nothing for any other text.
std::optional<EgressEnforcementMode> EgressModeOf(std::string_view name);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_EGRESS_MODE_H_
