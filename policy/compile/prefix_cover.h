// The smallest set of longest-match prefixes that says a step function over addresses.
// After R. Draves, C. King, S. Venkatachary, B. Zill, "Constructing optimal IP routing tables",
// INFOCOM 1999.

#ifndef PALYRA_POLICY_COMPILE_PREFIX_COVER_H_
#define PALYRA_POLICY_COMPILE_PREFIX_COVER_H_

#include <cstdint>
#include <vector>

#include "policy/compile/truth_map.h"
#include "policy/rule_set.h"

namespace palyra::policy {

struct AddressCell {
  Point first;  // The cell reaches to the next one's first point, the last to the end.
  uint32_t address_class;
};

struct PrefixCover {
  uint32_t outside;                     // The class of addresses that no prefix matches.
  std::vector<AddressPrefix> prefixes;  // In the order of RuleSet::prefixes.
};

// `cells` are over address points, ascending, beginning at 0. A cell may begin anywhere; that no
// IPv6 address lies among the points of IPv4 is made use of.
PrefixCover CoverWithPrefixes(const std::vector<AddressCell>& cells);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_PREFIX_COVER_H_
