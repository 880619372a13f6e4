// All policies together: from where each is satisfied to the tables.

#ifndef PALYRA_POLICY_COMBINE_H_
#define PALYRA_POLICY_COMBINE_H_

#include <expected>
#include <span>
#include <string>
#include <vector>

#include "policy/port_row.h"
#include "policy/rule_set.h"
#include "policy/territory.h"

namespace palyra::policy {

struct TooLarge {
  std::string message;
  uint32_t policy;  // The one that contributes most.
};

// What the authorizer answers over all layers, for every event, where the policies are satisfied in
// their territories and nowhere fail (or do so as permits, which are skipped there). `layers` is
// not empty. Sweeps once over the address space: the cost grows with the number of territory pieces
// and with the size of the result, and with the product of pieces and those policies that are
// satisfied everywhere.
std::expected<RuleSet, TooLarge> Combine(std::span<const Layer> layers,
                                         std::span<const PolicyFacts> policies,
                                         std::span<const Territory> territories);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMBINE_H_
