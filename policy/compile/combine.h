// All policies together: from where each is satisfied to the tables.

#ifndef PALYRA_POLICY_COMPILE_COMBINE_H_
#define PALYRA_POLICY_COMPILE_COMBINE_H_

#include <expected>
#include <span>
#include <string>
#include <vector>

#include "policy/compile/port_row.h"
#include "policy/compile/territory.h"
#include "policy/limits.h"
#include "policy/rule_set.h"

namespace palyra::policy {

struct TooLarge {
  std::string message;
  uint32_t policy;  // The one that contributes most.
};

// What the authorizer answers over all layers, for every event, where the policies are satisfied in
// their territories and nowhere fail (or do so as permits, which are skipped there). Sweeps once
// over the address space: the cost grows with the number of territory pieces and with the size of
// the result, and with the product of pieces and those policies that are satisfied everywhere.
std::expected<NetTables, TooLarge> Combine(std::span<const Territory* const> territories,
                                           Arbiter& arbiter, const TableLimits& limits);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_COMBINE_H_
