#include "cli/run_input.h"

#include <unistd.h>

#include <utility>

#include "engine/file_programs.h"
#include "policy/compile/spoken_names.h"

namespace palyra::cli {
namespace {

// The one place that says what is held of files. Without root nothing is run, and nobody can tell.
policy::Coverage HeldCoverage(uint16_t judged) {
  const policy::Coverage wanted = policy::CoverageFor(judged);
  if (wanted == policy::Coverage::kNetworkAndUnix || geteuid() != 0) return wanted;
  engine::Features features;
  return engine::CanJudgeFiles(engine::Host(), features) ? wanted
                                                         : policy::Coverage::kNetworkAndUnix;
}

}  // namespace

Result<void> ExpandPlacesOf(std::vector<LayerPolicies>& layers, const policy::Places& places) {
  for (LayerPolicies& layer : layers) {
    auto expanded = policy::ExpandPlaces(layer.policies, places);
    if (!expanded) {
      Error error = policy::ToError(expanded.error());
      error.code = ErrorCode::kRefused;
      return std::unexpected(std::move(error));
    }
    layer.policies = *std::move(expanded);
  }
  return {};
}

policy::CompileInput InputFor(const RunFacts& facts, std::span<const LayerPolicies> layers) {
  using policy::Value;
  policy::CompileInput input = {
      .principal = policy::EntityUid("Palyra::Agent", facts.agent),
      .context =
          Value::Record({{"tool", Value::Entity(policy::EntityUid("Palyra::Tool", facts.tool))},
                         {"tier", Value::String(facts.tier)},
                         {"workspace", Value::String(facts.workspace)},
                         {"now", Value::Of(facts.now)}}),
      .layers = {}};
  for (const LayerPolicies& layer : layers) {
    input.layers.push_back({layer.layer, &layer.policies, &layer.entities});
  }
  input.coverage = HeldCoverage(policy::JudgedNames(input.layers));
  return input;
}

}  // namespace palyra::cli
