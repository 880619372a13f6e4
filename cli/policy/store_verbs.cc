#include "cli/policy/store_verbs.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <string_view>
#include <utility>

#include "cli/run_input.h"
#include "cli/tool_entity.h"
#include "engine/clock.h"
#include "engine/policy_store.h"
#include "engine/tools/tool_registry.h"
#include "policy/execution.h"

namespace palyra::cli {
namespace {

std::unexpected<PolicyRefusal> Refuse(const Error& error) {
  return std::unexpected(PolicyRefusal{.message = error.message, .diagnostics = {}});
}

// The ids of the layer's entities of that type, and one that it does not know.
std::vector<std::string> IdsOf(const LayerPolicies& layer, std::string_view type) {
  std::vector<std::string> ids = {"unknown"};
  for (const auto& [uid, entity] : layer.entities.entities()) {
    if (uid.type() == type) ids.push_back(uid.id());
  }
  std::ranges::sort(ids);
  return ids;
}

// Those of the entities, and of the registry one of all that policies could only tell apart by
// name.
std::vector<RunFacts> ToolsOf(const engine::ToolRegistry& registry, const LayerPolicies& layer) {
  std::vector<RunFacts> runs;
  for (const std::string& name : IdsOf(layer, policy::kToolType)) {
    const engine::ToolMetadata* known = registry.Find(name);
    runs.push_back(
        {.tool = name, .traits = TraitsOf(known == nullptr ? registry.unknown() : *known)});
  }
  for (const engine::ToolMetadata& tool : registry.tools()) {
    const ToolTraits traits = TraitsOf(tool);
    const bool is_there = std::ranges::find(runs, traits, &RunFacts::traits) != runs.end();
    if (!is_there) runs.push_back({.tool = tool.name, .traits = traits});
  }
  return runs;
}

// What runs of the agents and tools that the operator knows, and of others, would come to.
std::expected<void, PolicyRefusal> Check(const engine::PolicyBundle& bundle) {
  PolicyRefusal refusal;
  // Whose home it will be, and where, is not known yet.
  const policy::Places places = {.workspace = "/workspace", .home = "/home/user", .tmp = "/tmp"};
  Result<LayerPolicies> layer = ParseLayer(SourcesOfBundle(bundle), places, &refusal.diagnostics);
  if (!layer) {
    if (refusal.diagnostics.empty()) refusal.message = layer.error().message;
    return std::unexpected(std::move(refusal));
  }
  const Result<engine::ToolRegistry> registry = engine::ToolRegistry::Load();
  if (!registry) return Refuse(registry.error());
  std::vector<RunFacts> runs = ToolsOf(*registry, *layer);
  for (const std::string& agent : IdsOf(*layer, "Palyra::Agent")) runs.push_back({.agent = agent});
  for (const RunFacts& facts : runs) {
    if (Result<void> added = AddTool({&*layer, 1}, facts.tool, facts.traits); !added) {
      return Refuse(added.error());
    }
    auto compiled = policy::CompileRules(InputFor(facts, {&*layer, 1}));
    if (compiled) continue;
    refusal.message =
        fmt::format(R"(not for a run of agent "{}" with tool "{}")", facts.agent, facts.tool);
    refusal.diagnostics = std::move(compiled.error());
    return std::unexpected(std::move(refusal));
  }
  return {};
}

std::expected<void, PolicyRefusal> RequireRoot() {
  if (geteuid() == 0) return {};
  return Refuse({.code = ErrorCode::kPermissionDenied,
                 .system_errno = 0,
                 .message = "root is needed to put the operator's policies in force; start it with "
                            "sudo"});
}

}  // namespace

std::expected<std::string, PolicyRefusal> LoadOperatorPolicies(
    const std::vector<std::string>& paths) {
  if (auto root = RequireRoot(); !root) return std::unexpected(std::move(root.error()));
  const Result<engine::PolicyBundle> bundle = ReadOperatorBundle(paths);
  if (!bundle) return Refuse(bundle.error());
  if (auto good = Check(*bundle); !good) return std::unexpected(std::move(good.error()));
  const Result<engine::PolicyVersion> version =
      engine::PolicyStore().Load(*bundle, engine::NowWallMs());
  if (!version) return Refuse(version.error());
  return fmt::format("version {} is in force: {} files, sha256 {}\n", version->number,
                     bundle->policies.size(), version->digest);
}

std::expected<std::string, PolicyRefusal> RollBackOperatorPolicies(std::optional<uint64_t> to) {
  if (auto root = RequireRoot(); !root) return std::unexpected(std::move(root.error()));
  const engine::PolicyStore store;
  const Result<std::optional<engine::PolicyHistory>> history = store.History();
  if (!history) return Refuse(history.error());
  const engine::PolicyVersion* target = nullptr;
  if (*history)
    target = (*history)->Find(to ? *to : (*history)->Find((*history)->in_force)->before);
  if (target == nullptr) {
    return Refuse({.code = ErrorCode::kNotFound,
                   .system_errno = 0,
                   .message = "that version is not kept, or there is none before; see \"palyra "
                              "policy history\""});
  }
  const Result<engine::PolicyBundle> bundle = store.Read(*target);
  if (!bundle) return Refuse(bundle.error());
  if (auto good = Check(*bundle); !good) return std::unexpected(std::move(good.error()));
  const Result<engine::PolicyVersion> version = store.PutInForce(target->number);
  if (!version) return Refuse(version.error());
  return fmt::format("version {} is in force again\n", version->number);
}

Result<std::string> OperatorPolicyHistory() {
  const Result<std::optional<engine::PolicyHistory>> history = engine::PolicyStore().History();
  if (!history) return std::unexpected(history.error());
  std::string text;
  if (!*history) return text;
  for (const engine::PolicyVersion& version : (*history)->versions) {
    text += fmt::format("{} {} {:%Y-%m-%dT%H:%M:%SZ} {}\n",
                        version.number == (*history)->in_force ? '*' : ' ', version.number,
                        fmt::gmtime(static_cast<std::time_t>(version.loaded_ms / 1000)),
                        version.digest);
  }
  return text;
}

}  // namespace palyra::cli
