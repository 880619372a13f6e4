#include "cli/policy/compiled_policy.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iterator>
#include <utility>

#include "base/accounts.h"
#include "engine/file_judge.h"
#include "engine/tools/tool_registry.h"
#include "policy/compile/spoken_names.h"
#include "policy/datetime.h"

namespace palyra::cli {
namespace {

std::string HomeDirectory() {
  const std::optional<base::Account> account = base::UserDatabase().Find(getuid());
  return account ? account->home : "";
}

std::string Absolute(const std::string& path) {
  std::error_code failure;
  std::filesystem::path absolute = std::filesystem::absolute(path, failure).lexically_normal();
  if (!absolute.has_filename() && absolute.has_relative_path()) absolute = absolute.parent_path();
  return failure ? path : absolute.string();
}

// What the registry says of the tool of that name; of one that it does not know what holds for
// unknown ones.
Result<ToolTraits> TraitsOfName(const std::string& name) {
  const Result<engine::ToolRegistry> registry = engine::ToolRegistry::Load();
  if (!registry) return std::unexpected(registry.error());
  const engine::ToolMetadata* tool = registry->Find(name);
  return TraitsOf(tool == nullptr ? registry->unknown() : *tool);
}

}  // namespace

void AddPolicyRunOptions(CLI::App& verb, PolicyRunOptions& options) {
  verb.add_option("--entities", options.entities, "entities as JSON: groups, attributes of agents");
  verb.add_option("--schema", options.schema,
                  "entity types and attributes beside the built-in ones");
  verb.add_option("--agent", options.agent, "the principal: Palyra::Agent::\"ID\"");
  verb.add_option("--tool", options.tool,
                  "context.tool: Palyra::Tool::\"NAME\", with what the "
                  "registry says of it");
  verb.add_option("--tier", options.tier, "context.tier");
  verb.add_option("--workspace", options.workspace,
                  "context.workspace and ${workspace}; the working directory unless given");
  verb.add_flag("--defaults", options.defaults,
                "with what is built in about files and programs, as a run has it");
  verb.add_option("--home", options.home, "${home}; that of the calling user unless given");
  verb.add_option("--now", options.now, "context.now, as 2026-01-31T12:00:00Z; else the clock");
}

size_t CompiledPolicy::policy_count() const {
  size_t count = 0;
  for (const LayerPolicies& layer : layers_) count += layer.policies.size();
  return count;
}

std::expected<CompiledPolicy::Ptr, PolicyRefusal> CompiledPolicy::Load(
    const PolicyRunOptions& options) {
  policy::Datetime now = RunFacts().now;
  const auto given = options.now ? policy::Datetime::Parse(*options.now) : now;
  if (!given) {
    return std::unexpected(PolicyRefusal{
        .message = fmt::format("--now \"{}\" is no time; write 2026-01-31T12:00:00Z", *options.now),
        .diagnostics = {}});
  }
  now = *given;
  std::unique_ptr<CompiledPolicy> compiled(new CompiledPolicy());
  RunOptions run;
  run.policies = options.paths;
  run.entities = options.entities;
  run.schema = options.schema;
  const Result<std::vector<LayerSources>> sources =
      ReadLayers(run, options.defaults ? policy::FileParts::kLsm : policy::FileParts::kNone);
  if (!sources) {
    return std::unexpected(PolicyRefusal{.message = sources.error().message, .diagnostics = {}});
  }
  const std::string workspace = Absolute(options.workspace.value_or("."));
  PolicyRefusal refusal;
  Result<std::vector<LayerPolicies>> layers =
      ParseLayers(*sources, PlacesOf(workspace, options.home ? *options.home : HomeDirectory()),
                  &refusal.diagnostics);
  if (!layers) {
    if (refusal.diagnostics.empty()) refusal.message = layers.error().message;
    return std::unexpected(std::move(refusal));
  }
  const Result<ToolTraits> traits = TraitsOfName(options.tool);
  const Result<void> added =
      traits ? AddTool(*layers, options.tool, *traits) : std::unexpected(traits.error());
  if (!added) {
    return std::unexpected(PolicyRefusal{.message = added.error().message, .diagnostics = {}});
  }
  compiled->layers_ = *std::move(layers);
  for (const LayerPolicies& layer : compiled->layers_) {
    std::ranges::copy(layer.warnings, std::back_inserter(compiled->warnings_));
  }
  compiled->facts_ = {.agent = options.agent,
                      .tool = options.tool,
                      .traits = *traits,
                      .tier = options.tier,
                      .workspace = workspace,
                      .now = now};
  compiled->input_ = InputFor(compiled->facts_, compiled->layers_);
  if (!options.as_in_kernel) compiled->input_->coverage = policy::Coverage::kAll;
  auto output = policy::CompileRules(*compiled->input_);
  if (!output) {
    return std::unexpected(PolicyRefusal{.message = "", .diagnostics = std::move(output.error())});
  }
  compiled->output_ = *std::move(output);
  if (options.as_in_kernel) {
    policy::RuleSet& rules = compiled->output_.rules;
    policy::KeepNames(rules, policy::JudgedNames(compiled->input_->layers));
    compiled->has_file_rules_ = !engine::TakeRulesForViews(rules).names.empty();
  }
  std::ranges::move(compiled->output_.warnings, std::back_inserter(compiled->warnings_));
  return compiled;
}

}  // namespace palyra::cli
