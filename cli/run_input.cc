#include "cli/run_input.h"

#include <utility>

#include "policy/compile/spoken_names.h"

namespace palyra::cli {

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
  input.coverage = policy::CoverageFor(policy::JudgedNames(input.layers));
  return input;
}

}  // namespace palyra::cli
