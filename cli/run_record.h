// What a run's events come to: the line in the terminal, and the audit file.

#ifndef PALYRA_CLI_RUN_RECORD_H_
#define PALYRA_CLI_RUN_RECORD_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "cli/audit_log.h"
#include "cli/denials.h"
#include "cli/relay_answers.h"
#include "cli/resolver_process.h"
#include "cli/run_rules.h"
#include "engine/run_names.h"
#include "policy/rule_set.h"

namespace palyra::cli {

// A policy that asks, and what it says to whoever is asked.
struct Asking {
  std::string policy;
  std::string text;
};

class RunRecord {
 public:
  // Of all rules that have been in force, by the number that events have as their source.
  using Sources = std::deque<NamedLayers>;

  // `rules` are those that the run begins with. `audit` may be null. One in `audit_allows` of what
  // the relay has verified is written; 0: none. Borrows all.
  RunRecord(const policy::RuleSet& rules, const Sources& sources, AuditLog* audit,
            uint32_t audit_allows)
      : rules_(rules), sources_(sources), audit_(audit), audit_allows_(audit_allows) {}

  // As engine::RunRequest has it: `rules` are null where another process has put them in force.
  void OnDenial(const palyra_event& event, const policy::RuleSet* rules, size_t source);
  void OnDenial(const engine::PathEvent& event, const policy::RuleSet* rules, size_t source);
  void OnAllow(const engine::PathEvent& event, const policy::RuleSet* rules, size_t source);
  void OnAllow(const palyra_event& event, const policy::RuleSet* rules, size_t source);
  void OnRefusedName(const ResolverProcess::RefusedName& refused);
  void OnRelayed(const broker::RelayEvent& event);

  // The policies of that reason, of every layer that asks.
  [[nodiscard]] std::vector<Asking> AskingOf(uint32_t reason, const policy::RuleSet* rules,
                                             size_t source) const;
  // By which the run knows the address.
  [[nodiscard]] std::vector<std::string> NamesOf(const policy::NetEvent& event) const;

  // Null until the run has names.
  const engine::RunNames*& names() { return names_; }

  [[nodiscard]] const DenialSummary& denials() const { return denials_; }

 private:
  const policy::RuleSet& rules_;
  const Sources& sources_;
  AuditLog* audit_;
  uint32_t audit_allows_;
  const engine::RunNames* names_ = nullptr;
  DenialSummary denials_;
  uint64_t verified_ = 0;

  [[nodiscard]] DenialNames NamesBy(const policy::RuleSet* rules, size_t source) const {
    return {rules == nullptr ? rules_ : *rules, sources_[source].Get()};
  }
  void AddNames(const palyra_event& event, Denial& denial) const;
  void AddOfBroker(const Denial& denial);
};

}  // namespace palyra::cli

#endif  // PALYRA_CLI_RUN_RECORD_H_
