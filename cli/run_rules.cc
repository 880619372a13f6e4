#include "cli/run_rules.h"

#include <cstdint>
#include <string_view>

#include "engine/file_judge.h"
#include "policy/compile/compiler.h"
#include "policy/compile/pinned_names.h"
#include "policy/compile/spoken_names.h"
#include "policy/execution.h"

namespace palyra::cli {
namespace {

// A list of texts and numbers of which no two lists have one digest: each has its length before it.
class KeyHash {
 public:
  void Add(uint64_t number) {
    hash_.Update({reinterpret_cast<const uint8_t*>(&number), sizeof(number)});
  }
  void Add(std::string_view text) {
    Add(text.size());
    hash_.Update({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  }
  void Add(const policy::SourcePtr& source) {
    Add(uint64_t{source == nullptr ? 0U : 1U});
    if (source == nullptr) return;
    Add(source->name());
    Add(source->text());
  }
  void Add(const std::vector<policy::SourcePtr>& sources) {
    Add(sources.size());
    for (const policy::SourcePtr& source : sources) Add(source);
  }
  base::Sha256Digest Finish() { return hash_.Finish(); }

 private:
  base::Sha256 hash_;
};

bool IsOffline(const RunOptions& options) {
  return options.egress == policy::EgressEnforcementMode::kNone;
}

std::unexpected<Error> Refuse(const std::vector<policy::Diagnostic>& diagnostics) {
  Error error = policy::ToError(diagnostics);
  error.code = ErrorCode::kRefused;
  return std::unexpected(error);
}

Result<policy::CompileOutput> Compile(const RunOptions& options, const RunFacts& facts,
                                      const std::vector<LayerPolicies>& layers) {
  policy::CompileInput input = InputFor(facts, layers);
  auto compiled = policy::CompileRules(input);
  // Policies must be right in every mode. Offline the first layer forbids whatever they permit of
  // the network, and its own rules say that in fewer words, without names of hosts.
  if (compiled && IsOffline(options)) {
    input.is_offline = true;
    compiled = policy::CompileRules(input);
    if (compiled) compiled->warnings.clear();
  }
  if (!compiled) return Refuse(compiled.error());
  policy::KeepNames(compiled->rules, policy::JudgedNames(input.layers));
  return *std::move(compiled);
}

std::string WarningsOf(const std::vector<LayerPolicies>& layers,
                       const policy::CompileOutput& compiled) {
  std::string text;
  for (const LayerPolicies& layer : layers) {
    if (!layer.warnings.empty()) text += policy::Render(layer.warnings);
  }
  if (!compiled.warnings.empty()) text += policy::Render(compiled.warnings);
  return text;
}

}  // namespace

const std::vector<LayerPolicies>& NamedLayers::Get() const {
  if (!parsed_) {
    Result<std::vector<LayerPolicies>> layers = ParseLayers(sources_, places_);
    const bool whole = layers && AddTool(*layers, tool_, traits_);
    parsed_ = whole ? *std::move(layers) : std::vector<LayerPolicies>();
  }
  return *parsed_;
}

std::optional<base::Sha256Digest> CacheKey(const RunOptions& options, const RunFacts& facts,
                                           const policy::Places& places,
                                           const std::vector<LayerSources>& sources) {
  const std::string build = BuildId();
  if (build.empty()) return std::nullopt;
  KeyHash hash;
  hash.Add("palyra-rule-cache 2");
  hash.Add(build);
  hash.Add(uint64_t{IsOffline(options) ? 1U : 0U});
  for (const std::string& text : {facts.agent, facts.tool, facts.traits.sensitivity, facts.tier,
                                  facts.workspace, places.workspace, places.home, places.tmp}) {
    hash.Add(text);
  }
  hash.Add(facts.traits.capabilities.size());
  for (const std::string& capability : facts.traits.capabilities) hash.Add(capability);
  hash.Add(sources.size());
  for (const LayerSources& layer : sources) {
    hash.Add(static_cast<uint64_t>(layer.layer));
    hash.Add(layer.policies);
    hash.Add(layer.shorthands);
    hash.Add(layer.defaults);
    hash.Add(layer.entities);
    hash.Add(layer.schema);
  }
  return hash.Finish();
}

Result<RunRules> MakeRules(const RunOptions& options, const RunFacts& facts,
                           const policy::Places& places, std::vector<LayerSources> sources,
                           const RuleCache* cache) {
  const bool pins_names = options.egress == policy::EgressEnforcementMode::kPreflight;
  const std::optional<base::Sha256Digest> key =
      cache == nullptr || pins_names ? std::nullopt : CacheKey(options, facts, places, sources);
  RunRules made = {.rules = {},
                   .files = {},
                   .layers = NamedLayers(std::move(sources), places, facts),
                   .warnings = {},
                   .pins = std::nullopt};
  const int64_t now_ms = facts.now.milliseconds();
  if (key) {
    if (std::optional<CachedRules> found = cache->Find(*key, now_ms)) {
      made.rules = std::move(found->rules);
      made.files = engine::TakeRulesForViews(made.rules);
      made.warnings = std::move(found->warnings);
      made.may_deny_start = found->may_deny_start;
      made.was_there = true;
      return made;
    }
  }
  Result<std::vector<LayerPolicies>> layers = ParseLayers(made.layers.sources(), places);
  if (!layers) return std::unexpected(layers.error());
  if (Result<void> added = AddTool(*layers, facts.tool, facts.traits); !added) {
    return std::unexpected(added.error());
  }
  Result<policy::CompileOutput> compiled = Compile(options, facts, *layers);
  if (!compiled) return std::unexpected(compiled.error());
  made.warnings = WarningsOf(*layers, *compiled);
  made.may_deny_start = policy::MayDenyExecution(InputFor(facts, *layers).layers);
  if (pins_names) {
    const auto names = policy::NamesToPin(*compiled);
    if (!names) return Refuse(names.error());
    made.pins.emplace(names->begin(), names->end());
  }
  made.rules = std::move(compiled->rules);
  made.layers.Set(*std::move(layers));
  if (key) {
    CachedRules entry = {.compiled_ms = now_ms,
                         .rules = std::move(made.rules),
                         .warnings = made.warnings,
                         .may_deny_start = made.may_deny_start};
    cache->Store(*key, entry);
    made.rules = std::move(entry.rules);
  }
  made.files = engine::TakeRulesForViews(made.rules);
  return made;
}

}  // namespace palyra::cli
