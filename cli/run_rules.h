// The rules of a run: read, and compiled, or found where an earlier run has left them.

#ifndef PALYRA_CLI_RUN_RULES_H_
#define PALYRA_CLI_RUN_RULES_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "cli/name_answers.h"
#include "cli/policy_sources.h"
#include "cli/rule_cache.h"
#include "cli/run_input.h"
#include "policy/compile/places.h"
#include "policy/rule_set.h"

namespace palyra::cli {

// Layers that are parsed when somebody asks: whose rules were found needs them only to name what is
// denied.
class NamedLayers {
 public:
  // Parses `sources` when asked; they are known to parse. Of `facts` the tool is added to each.
  NamedLayers(std::vector<LayerSources> sources, policy::Places places, const RunFacts& facts)
      : sources_(std::move(sources)),
        places_(std::move(places)),
        tool_(facts.tool),
        traits_(facts.traits) {}

  [[nodiscard]] const std::vector<LayerSources>& sources() const { return sources_; }

  // Not for two threads at once. Of sources that do not parse after all, no layers: policies are
  // then named by their ids.
  [[nodiscard]] const std::vector<LayerPolicies>& Get() const;

  void Set(std::vector<LayerPolicies> parsed) { parsed_ = std::move(parsed); }

 private:
  std::vector<LayerSources> sources_;
  policy::Places places_;
  std::string tool_;
  ToolTraits traits_;
  mutable std::optional<std::vector<LayerPolicies>> parsed_;
};

struct RunRules {
  policy::RuleSet rules;
  policy::RuleSet files;  // What is said of files and is not for the kernel's tables.
  NamedLayers layers;
  std::string warnings;             // Of the validator and the compiler, rendered.
  std::optional<PinnedNames> pins;  // To be resolved before the run; no others ever.
  bool may_deny_start = false;      // The policies may deny the run to begin at all.
  bool was_there = false;           // Nothing was compiled.
};

// Makes the rules that `sources` come to at this moment. kRefused with rendered diagnostics where
// they cannot be held. Names to pin depend on more than the rules, so those of a run with some are
// compiled always.
Result<RunRules> MakeRules(const RunOptions& options, const RunFacts& facts,
                           const policy::Places& places, std::vector<LayerSources> sources,
                           const RuleCache* cache);

// What all of it depends on but the time: texts and names of sources, principal, context, places,
// and this program. Nothing where the program has no name of its own.
std::optional<base::Sha256Digest> CacheKey(const RunOptions& options, const RunFacts& facts,
                                           const policy::Places& places,
                                           const std::vector<LayerSources>& sources);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_RUN_RULES_H_
