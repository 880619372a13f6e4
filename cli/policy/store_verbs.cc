#include "cli/policy/store_verbs.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <utility>

#include "engine/clock.h"
#include "engine/policy_store.h"

namespace palyra::cli {
namespace {

std::unexpected<PolicyRefusal> Refuse(const Error& error) {
  return std::unexpected(PolicyRefusal{.message = error.message, .diagnostics = {}});
}

// What a run of an agent of which nothing is known would come to.
std::expected<void, PolicyRefusal> Check(const engine::PolicyBundle& bundle) {
  PolicyRefusal refusal;
  const Result<LayerPolicies> layer = LayerOfBundle(bundle, &refusal.diagnostics);
  if (!layer) {
    if (refusal.diagnostics.empty()) refusal.message = layer.error().message;
    return std::unexpected(std::move(refusal));
  }
  using policy::Value;
  const policy::EntityUid tool("Palyra::Tool", "unknown");
  const policy::CompileInput input = {
      .principal = policy::EntityUid("Palyra::Agent", "unknown"),
      .context = Value::Record({{"tool", Value::Entity(tool)},
                                {"tier", Value::String("guard")},
                                {"workspace", Value::String("/")},
                                {"now", Value::Of(policy::Datetime(engine::NowWallMs()))}}),
      .layers = {{policy::Layer::kOperator, &layer->policies, &layer->entities}}};
  auto compiled = policy::CompileRules(input);
  if (compiled) return {};
  refusal.diagnostics = std::move(compiled.error());
  return std::unexpected(std::move(refusal));
}

}  // namespace

std::expected<std::string, PolicyRefusal> LoadOperatorPolicies(
    const std::vector<std::string>& paths) {
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
