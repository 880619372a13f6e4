#include "cli/run_input.h"

namespace palyra::cli {

policy::CompileInput InputFor(const RunFacts& facts, std::span<const LayerPolicies> layers) {
  using policy::Value;
  policy::CompileInput input = {
      .principal = policy::EntityUid("Palyra::Agent", facts.agent),
      .context =
          Value::Record({{"tool", Value::Entity(policy::EntityUid("Palyra::Tool", facts.tool))},
                         {"tier", Value::String(facts.tier)},
                         {"workspace", Value::String(facts.workspace)},
                         {"now", Value::Of(facts.now)}}),
      .layers = {},
      .coverage = policy::Coverage::kNetworkAndUnix};
  for (const LayerPolicies& layer : layers) {
    input.layers.push_back({layer.layer, &layer.policies, &layer.entities});
  }
  return input;
}

}  // namespace palyra::cli
