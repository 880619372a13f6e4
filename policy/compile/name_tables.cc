#include "policy/compile/name_tables.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "policy/automaton_builder.h"
#include "policy/compile/condition_table.h"
#include "policy/compile/named_resource.h"

namespace palyra::policy {
namespace {

using Row = std::vector<std::pair<Verdict, uint32_t>>;  // By flag.

ConditionTable ConditionsOf(std::span<const NameClaim> claims) {
  ConditionTable table;
  for (uint32_t claim = 0; claim < claims.size(); ++claim) {
    for (const NameCondition& condition : claims[claim].footprint.conditions) {
      table.Add(condition, claim);
    }
  }
  return table;
}

std::vector<std::string> DigestsOf(std::span<const NameClaim> claims) {
  std::vector<std::string> digests;
  for (const NameClaim& claim : claims) {
    digests.insert(digests.end(), claim.footprint.digests.begin(), claim.footprint.digests.end());
  }
  std::ranges::sort(digests);
  const auto repeated = std::ranges::unique(digests);
  digests.erase(repeated.begin(), repeated.end());
  return digests;
}

class Builder {
 public:
  Builder(NameAction action, std::span<const NameClaim> claims, Request request, Arbiter& arbiter,
          const TableLimits& limits)
      : action_(action),
        claims_(claims),
        conditions_(ConditionsOf(claims)),
        request_(std::move(request)),
        arbiter_(arbiter),
        limits_(limits),
        flags_(FlagEvents(action, DigestsOf(claims))),
        failed_(claims.size()) {}

  std::expected<NameTables, NamesTooLarge> Build() {
    auto partition = BuildAutomaton({.patterns = conditions_.patterns(),
                                     .labels = conditions_.labels(),
                                     .universe = UniverseOf(action_)});
    if (!partition) {
      return std::unexpected(Blame(partition.error()));
    }
    for (uint32_t i = 0; i < partition->classes.size(); ++i) {
      touched_.push_back(conditions_.UsersOf(partition->classes[i]));
      if (partition->outside != i) {
        inside_.push_back(i);
      }
    }
    if (std::optional<NamesTooLarge> passed = AskDefaults(partition->classes)) {
      return std::unexpected(*std::move(passed));
    }
    return Assemble(*partition);
  }

 private:
  NameAction action_;
  std::span<const NameClaim> claims_;
  ConditionTable conditions_;
  Request request_;
  Arbiter& arbiter_;
  const TableLimits& limits_;
  std::vector<NameEvent> flags_;
  std::vector<uint32_t> inside_;  // The classes of names that can be asked for.
  // By flag: claims that are satisfied where none of their conditions holds.
  std::vector<std::vector<uint32_t>> always_;
  std::vector<std::vector<uint32_t>> touched_;  // By class: claims with a condition that holds.
  std::vector<bool> failed_;
  std::vector<NameFailure> failures_;

  // What cannot be asked for is denied.
  NameTables Assemble(const BuiltAutomaton& partition) {
    NameTables tables{.rules = {.action = action_,
                                .automaton = {},
                                .digests = DigestsOf(claims_),
                                .flag_count = static_cast<uint32_t>(flags_.size()),
                                .leaves = {}},
                      .failures = {},
                      .partition = partition.automaton};
    std::map<Row, uint32_t> rows;  // Sorted, so that the numbers do not depend on the policies.
    const Row denied(flags_.size(), {Verdict::kDeny, kReasonDefaultDeny});
    std::vector<std::map<Row, uint32_t>::iterator> row_of_class(partition.classes.size());
    if (partition.outside) {
      row_of_class[*partition.outside] = rows.try_emplace(denied).first;
    }
    for (const uint32_t i : inside_) {
      const std::string& name = partition.classes[i].representative;
      Row row;
      for (size_t flag = 0; flag < flags_.size(); ++flag) {
        const Ruling ruling = Decide(touched_[i], flag, name);
        row.emplace_back(ruling.verdict, ruling.reason);
      }
      row_of_class[i] = rows.try_emplace(std::move(row)).first;
    }
    for (uint32_t number = 0; auto& [row, row_number] : rows) {
      row_number = number++;
      for (const auto& [verdict, reason] : row) {
        tables.rules.leaves.push_back({.verdict = verdict, .reason = reason});
      }
    }
    std::vector<uint32_t> merged;
    merged.reserve(row_of_class.size());
    for (const auto& row : row_of_class) {
      merged.push_back(row->second);
    }
    tables.rules.automaton = partition.automaton.Relabel(merged);
    tables.failures = std::move(failures_);
    return tables;
  }

  [[nodiscard]] NamesTooLarge Blame(const AutomatonRefusal& refusal) const {
    NamesTooLarge blame{.message = DescribeBound(refusal.bound), .policies = {}};
    for (const uint32_t claim : conditions_.UsersBehind(refusal)) {
      if (std::ranges::find(blame.policies, claims_[claim].policy) == blame.policies.end()) {
        blame.policies.push_back(claims_[claim].policy);
      }
    }
    return blame;
  }

  // Every claim is asked once where none of its conditions holds, if there is such a name.
  std::optional<NamesTooLarge> AskDefaults(const std::vector<StringClass>& classes) {
    std::vector<uint32_t> plainest = inside_;
    std::ranges::stable_sort(plainest, {}, [&](uint32_t i) { return touched_[i].size(); });
    always_.resize(flags_.size());
    for (uint32_t claim = 0; claim < claims_.size(); ++claim) {
      const auto place = std::ranges::find_if(
          plainest, [&](uint32_t i) { return !std::ranges::binary_search(touched_[i], claim); });
      if (place == plainest.end()) {
        continue;
      }
      const std::string& name = classes[*place].representative;
      for (size_t flag = 0; flag < flags_.size(); ++flag) {
        if (Ask(claim, flag, name)) {
          always_[flag].push_back(claim);
        }
      }
    }
    size_t occupied = 0;
    for (const std::vector<uint32_t>& touched : touched_) {
      occupied += touched.size() + always_[0].size();
    }
    const bool is_within = occupied * flags_.size() <= limits_.occupied &&
                           classes.size() * flags_.size() <= limits_.leaves;
    if (is_within || claims_.empty()) {
      return std::nullopt;
    }
    const auto widest = std::ranges::max_element(
        claims_, {}, [](const NameClaim& claim) { return claim.footprint.conditions.size(); });
    return NamesTooLarge{.message = "the policies tell too many names apart together",
                         .policies = {widest->policy}};
  }

  // Whether the claim is satisfied. One that fails is not, and is noted.
  bool Ask(uint32_t claim, size_t flag, const std::string& name) {
    NameEvent event = flags_[flag];
    event.name = name;
    const NameClaim& asked = claims_[claim];
    request_.event_entity = std::make_shared<const Entity>(NamedEntity(event, *asked.entities));
    request_.resource = request_.event_entity->uid;
    const EvalResult result = Evaluator(request_, *asked.entities).Evaluate(*asked.residual);
    const bool* held = result ? result->AsBool() : nullptr;
    if (held == nullptr && !failed_[claim]) {
      failed_[claim] = true;
      failures_.push_back({.policy = asked.policy, .event = std::move(event)});
    }
    return held != nullptr && *held;
  }

  Ruling Decide(const std::vector<uint32_t>& touched, size_t flag, const std::string& name) {
    std::vector<uint32_t> satisfied;
    std::ranges::set_difference(always_[flag], touched, std::back_inserter(satisfied));
    for (const uint32_t claim : touched) {
      if (Ask(claim, flag, name)) {
        satisfied.push_back(claim);
      }
    }
    for (uint32_t& claim : satisfied) {
      claim = claims_[claim].policy;
    }
    std::ranges::sort(satisfied);
    return arbiter_.Decide(satisfied);
  }
};

}  // namespace

std::vector<NameEvent> FlagEvents(NameAction action, const std::vector<std::string>& digests) {
  const std::string_view type = ResourceTypeOf(action);
  std::vector<NameEvent> events = {{.action = action, .name = ""}};
  if (type == kSocketType || type == kProcessType) {
    events.push_back({.action = action, .name = "", .flag = true});
  }
  if (type == kExecutableType) {
    std::string other = "another";
    for (const std::string& digest : digests) {
      events.push_back({.action = action, .name = "", .flag = false, .sha256 = digest});
      other += digest == other ? "?" : "";  // They are sorted.
    }
    events.push_back({.action = action, .name = "", .flag = false, .sha256 = std::move(other)});
  }
  return events;
}

std::expected<NameTables, NamesTooLarge> BuildNameTables(NameAction action,
                                                         std::span<const NameClaim> claims,
                                                         const Request& request, Arbiter& arbiter,
                                                         const TableLimits& limits) {
  return Builder(action, claims, request, arbiter, limits).Build();
}

}  // namespace palyra::policy
