// The rules of endpoints that go by a name: an automaton over all names that policies tell apart,
// and tables of addresses and ports for each class of names.

#ifndef PALYRA_POLICY_COMPILE_DOMAIN_TABLES_H_
#define PALYRA_POLICY_COMPILE_DOMAIN_TABLES_H_

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "policy/compile/arbiter.h"
#include "policy/compile/domain_footprint.h"
#include "policy/compile/name_tables.h"
#include "policy/compile/territory.h"
#include "policy/limits.h"
#include "policy/rule_set.h"

namespace palyra::policy {

// What a policy leaves to ask of an endpoint and its name.
struct DomainClaim {
  uint32_t policy;
  DomainFootprint footprint;  // Without obstacle.
};

// Where a claim, by index, is satisfied when the endpoint has this name. Nothing: it cannot be
// said, which is noted elsewhere and ends the work.
using TerritoryOfName =
    std::function<std::optional<Territory>(uint32_t claim, const std::string& domain)>;

struct DomainTables {
  std::optional<DomainRules> rules;  // Nothing where no policy asks for a name.
  Automaton partition;               // Partitions::domains.
};

// Exact: for every name, where `everywhere` and the claims' territories of that name are satisfied.
std::expected<DomainTables, NamesTooLarge> BuildDomainTables(
    std::span<const DomainClaim> claims, std::span<const Territory* const> everywhere,
    const TerritoryOfName& territory_of, Arbiter& arbiter, const TableLimits& limits);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_DOMAIN_TABLES_H_
