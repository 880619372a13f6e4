#include "cli/dry_run.h"

#include <fmt/format.h>

#include "base/sha256.h"
#include "policy/datetime.h"
#include "policy/rule_set_binary.h"

namespace palyra::cli {
namespace {

std::string RulesText(const policy::RuleSet& rules) {
  size_t states = 0;
  size_t leaves = 0;
  for (const policy::NameRules& names : rules.names) {
    states += names.automaton.state_count();
    leaves += names.leaves.size();
  }
  std::string text = fmt::format("rules {}\n", base::HexText(policy::Digest(rules)));
  text += fmt::format("  {} prefixes in {} classes", rules.prefixes.size(), rules.classes.size());
  if (rules.domains) {
    text += fmt::format("; domains in {} states with {} tables",
                        rules.domains->automaton.state_count(), rules.domains->tables.size());
  }
  text += fmt::format("; names in {} states with {} leaves; {} reasons; {} bytes\n", states, leaves,
                      rules.reasons.size(), policy::WriteRules(rules).size());
  if (rules.valid_until_ms) {
    const auto until = policy::Datetime(*rules.valid_until_ms).ToString();
    text += fmt::format("  until {}\n", until.value_or("a time that no calendar has"));
  }
  return text;
}

}  // namespace

std::string DryRunText(const DryRun& run) {
  std::string text =
      fmt::format("as {} ({}:{}, by {}), in {}\n", run.user.name.empty() ? "?" : run.user.name,
                  run.user.uid, run.user.gid, run.user.chosen_by, run.start);
  text +=
      fmt::format("agent {}, tool {}, tier {}\n", run.facts.agent, run.facts.tool, run.facts.tier);
  text += fmt::format("${{workspace}} {}, ${{home}} {}, ${{tmp}} {}\n", run.places.workspace,
                      run.places.home, run.places.tmp);
  text += RulesText(run.rules);
  for (const LayerPolicies& layer : run.layers.Get()) {
    text += fmt::format("layer {}: {} policies\n", policy::LayerName(layer.layer),
                        layer.policies.size());
    for (const policy::PlacedPolicy& policy : layer.policies.policies()) {
      text += fmt::format("  {} {}\n",
                          policy.policy.effect == policy::Effect::kPermit ? "permit" : "forbid",
                          policy.Label());
    }
  }
  return text;
}

}  // namespace palyra::cli
