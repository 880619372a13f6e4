#include "policy/egress_mode.h"

#include <utility>

namespace palyra::policy {

std::string_view EgressModeName(EgressEnforcementMode mode) {
  switch (mode) {
    case EgressEnforcementMode::kNone:
      return "none";
    case EgressEnforcementMode::kPreflight:
      return "preflight";
    case EgressEnforcementMode::kStrict:
      return "strict";
  }
  std::unreachable();
}

std::optional<EgressEnforcementMode> EgressModeOf(std::string_view name) {
  for (const EgressEnforcementMode mode :
       {EgressEnforcementMode::kNone, EgressEnforcementMode::kPreflight,
        EgressEnforcementMode::kStrict}) {
    if (EgressModeName(mode) == name) return mode;
  }
  return std::nullopt;
}

}  // namespace palyra::policy
