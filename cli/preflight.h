// Resolving the names of a run before it begins (EgressEnforcementMode::kPreflight).

#ifndef PALYRA_CLI_PREFLIGHT_H_
#define PALYRA_CLI_PREFLIGHT_H_

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "base/result.h"
#include "broker/name_channel.h"
#include "cli/name_answers.h"
#include "engine/run_names.h"
#include "policy/rule_set.h"

namespace palyra::cli {

class Preflight {
 public:
  static constexpr std::chrono::seconds kLongest{60};

  // Borrows the rules, which may change later: the kernel judges by those that are in force.
  Preflight(const policy::RuleSet& rules, PinnedNames names)
      : rules_(&rules), names_(std::move(names)) {}

  // Answers the resolver at the other end of `channel` until it has settled every name. kRefused
  // names all of those that led nowhere, or the one that no server answered for.
  Result<std::vector<engine::PinnedAddress>> Run(int channel);

  // What Run() does with one question. Other names than those given are nothing that it answers.
  broker::AddressSet AnswerTo(const broker::NameQuestion& question);

 private:
  const policy::RuleSet* rules_;
  PinnedNames names_;
  PinnedNames settled_;
  std::vector<engine::PinnedAddress> pins_;
  std::vector<std::string> failures_;  // "\"a.example\" is no name that the DNS knows"
  bool has_no_answer_ = false;

  [[nodiscard]] bool MayLeadTo(const std::string& name, const engine::NetAddress& address) const;
  broker::AddressSet Learn(const broker::NameQuestion& question);
  void Settle(const std::string& name, broker::NameOutcome outcome);
  [[nodiscard]] bool has_ended() const {
    return has_no_answer_ || settled_.size() == names_.size();
  }
};

}  // namespace palyra::cli

#endif  // PALYRA_CLI_PREFLIGHT_H_
