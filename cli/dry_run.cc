#include "cli/dry_run.h"

#include <fmt/format.h>

#include <array>

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

std::string MountText(const engine::FileMount& mount) {
  std::string text = "  mount " + mount.path + ':';
  if (mount.masked) text += " hidden";
  if (mount.read_only) text += " read-only";
  if (mount.no_exec) text += " noexec";
  if (mount.no_devices) text += " nodev";
  return text + '\n';
}

std::string GrantText(const engine::FileGrant& grant) {
  struct Name {
    engine::FileRights rights;
    const char* name;
  };
  constexpr std::array<Name, 6> kNames = {{{engine::kReadFileRight, "read"},
                                           {engine::kListRight, "list"},
                                           {engine::kWriteRight, "write"},
                                           {engine::kMakeRights, "make"},
                                           {engine::kRemoveRights, "remove"},
                                           {engine::kExecuteRight, "execute"}}};
  std::string text = "  grant " + grant.path + ':';
  for (const Name& name : kNames) {
    if ((grant.rights & name.rights) != 0) text.append(" ").append(name.name);
  }
  return text + '\n';
}

std::string ViewText(const engine::FileView& view) {
  std::string text = fmt::format("files: {} grants, {} mounts, {} placeholders\n",
                                 view.grants.size(), view.mounts.size(), view.placeholders.size());
  for (const engine::FileGrant& grant : view.grants) text += GrantText(grant);
  for (const engine::FileMount& mount : view.mounts) text += MountText(mount);
  for (const engine::Placeholder& placeholder : view.placeholders) {
    text += "  placeholder " + placeholder.path + '\n';
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
  if (run.view != nullptr) text += ViewText(*run.view);
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
