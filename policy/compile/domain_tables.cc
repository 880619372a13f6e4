#include "policy/compile/domain_tables.h"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <map>
#include <utility>

#include "policy/automaton_builder.h"
#include "policy/compile/combine.h"

namespace palyra::policy {
namespace {

class Builder {
 public:
  Builder(std::span<const DomainClaim> claims, std::span<const Territory* const> everywhere,
          const TerritoryOfName& territory_of, Arbiter& arbiter, const TableLimits& limits)
      : claims_(claims),
        everywhere_(everywhere),
        territory_of_(territory_of),
        arbiter_(arbiter),
        limits_(limits),
        territories_(claims.size()) {
    for (uint32_t claim = 0; claim < claims.size(); ++claim) {
      for (const NameCondition& condition : claims[claim].footprint.conditions) {
        conditions_.Add(condition, claim);
      }
    }
  }

  std::expected<DomainTables, NamesTooLarge> Build() {
    auto partition =
        BuildAutomaton({.patterns = conditions_.patterns(), .labels = conditions_.labels()});
    if (!partition) {
      return std::unexpected(NamesTooLarge{.message = DescribeBound(partition.error().bound),
                                           .policies = PoliciesBehind(partition.error())});
    }
    for (const StringClass& names : partition->classes) {
      held_.push_back(conditions_.HeldOn(names));
    }
    AskDefaults(partition->classes);
    DomainRules rules;
    std::vector<uint32_t> numbers;
    for (size_t i = 0; i < held_.size(); ++i) {
      const auto number = NumberOf(i, partition->classes[i].representative, rules.tables);
      if (!number) {
        return std::unexpected(number.error());
      }
      numbers.push_back(*number);
    }
    rules.automaton = partition->automaton.Relabel(numbers);
    return DomainTables{.rules = std::move(rules), .partition = std::move(partition->automaton)};
  }

 private:
  std::span<const DomainClaim> claims_;
  std::span<const Territory* const> everywhere_;
  const TerritoryOfName& territory_of_;
  Arbiter& arbiter_;
  const TableLimits& limits_;
  ConditionTable conditions_;
  std::vector<ConditionTable::Held> held_;  // By class.
  // A claim's territories, by those of its conditions that hold; null where it is satisfied
  // nowhere.
  std::map<std::pair<uint32_t, std::vector<uint32_t>>, const Territory*> known_;
  std::vector<std::deque<Territory>> territories_;  // Of each claim, different ones.
  std::vector<uint32_t> always_;  // Claims that are satisfied where none of their conditions holds.
  std::map<std::vector<const Territory*>, uint32_t> numbers_;
  size_t occupied_ = 0;
  size_t prefixes_ = 0;
  size_t spans_ = 0;

  const Territory* Known(uint32_t claim, const std::vector<uint32_t>& held,
                         const std::string& name) {
    const auto [entry, is_new] = known_.try_emplace({claim, held}, nullptr);
    std::optional<Territory> territory = is_new ? territory_of_(claim, name) : std::nullopt;
    if (territory && territory->flow_sets.size() > 1) {
      entry->second = Interned(*std::move(territory), territories_[claim]);
    }
    return entry->second;
  }

  static const Territory* Interned(Territory territory, std::deque<Territory>& among) {
    const auto known = std::ranges::find(among, territory);
    return known != among.end() ? &*known : &among.emplace_back(std::move(territory));
  }

  // Every claim is asked once where none of its conditions holds, if there is such a name.
  void AskDefaults(const std::vector<StringClass>& classes) {
    for (uint32_t claim = 0; claim < claims_.size(); ++claim) {
      const auto place =
          std::ranges::find_if(held_, [&](const auto& held) { return !held.contains(claim); });
      if (place != held_.end() &&
          Known(claim, {}, classes[static_cast<size_t>(place - held_.begin())].representative)) {
        always_.push_back(claim);
      }
    }
  }

  [[nodiscard]] std::vector<const Territory*> TerritoriesOf(size_t names,
                                                            const std::string& representative) {
    std::vector<const Territory*> territories(everywhere_.begin(), everywhere_.end());
    for (const uint32_t claim : always_) {
      if (!held_[names].contains(claim)) {
        territories.push_back(Known(claim, {}, representative));
      }
    }
    for (const auto& [claim, held] : held_[names]) {
      if (const Territory* territory = Known(claim, held, representative)) {
        territories.push_back(territory);
      }
    }
    return territories;
  }

  // The index of the tables of a class of names.
  std::expected<uint32_t, NamesTooLarge> NumberOf(size_t names, const std::string& representative,
                                                  std::vector<NetTables>& tables) {
    std::vector<const Territory*> territories = TerritoriesOf(names, representative);
    const auto [entry, is_new] =
        numbers_.try_emplace(std::move(territories), static_cast<uint32_t>(tables.size()));
    if (!is_new) {
      return entry->second;
    }
    std::expected<NetTables, TooLarge> combined = Combine(entry->first, arbiter_, limits_);
    if (!combined) {
      return std::unexpected(NamesTooLarge{.message = std::move(combined.error().message),
                                           .policies = {combined.error().policy}});
    }
    tables.push_back(*std::move(combined));
    occupied_ += entry->first.size();
    prefixes_ += tables.back().prefixes.size();
    for (const AddressClass& address_class : tables.back().classes) {
      spans_ += address_class.spans.size();
    }
    if (occupied_ > limits_.occupied || prefixes_ > limits_.prefixes || spans_ > limits_.spans) {
      return std::unexpected(NamesTooLarge{
          .message = "the policies tell too many domains and addresses apart together",
          .policies = {WidestClaim().policy}});
    }
    return entry->second;
  }

  [[nodiscard]] const DomainClaim& WidestClaim() const {
    return *std::ranges::max_element(
        claims_, {}, [](const DomainClaim& claim) { return claim.footprint.conditions.size(); });
  }

  [[nodiscard]] std::vector<uint32_t> PoliciesBehind(const AutomatonRefusal& refusal) const {
    std::vector<uint32_t> policies;
    for (const uint32_t claim : conditions_.UsersBehind(refusal)) {
      if (std::ranges::find(policies, claims_[claim].policy) == policies.end()) {
        policies.push_back(claims_[claim].policy);
      }
    }
    return policies;
  }
};

}  // namespace

std::expected<DomainTables, NamesTooLarge> BuildDomainTables(
    std::span<const DomainClaim> claims, std::span<const Territory* const> everywhere,
    const TerritoryOfName& territory_of, Arbiter& arbiter, const TableLimits& limits) {
  if (claims.empty()) {
    return DomainTables{.rules = std::nullopt, .partition = Automaton()};
  }
  return Builder(claims, everywhere, territory_of, arbiter, limits).Build();
}

}  // namespace palyra::policy
