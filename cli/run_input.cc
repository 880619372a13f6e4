#include "cli/run_input.h"

#include <cstdlib>
#include <memory>

#include "policy/compile/spoken_names.h"

namespace palyra::cli {
namespace {

// As it is where nothing is there.
std::string Real(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> real(realpath(path.c_str(), nullptr), std::free);
  return real == nullptr ? path : real.get();
}

}  // namespace

policy::Places PlacesOf(const std::string& workspace, const std::string& home) {
  return {.workspace = workspace, .home = Real(home.empty() ? "/" : home), .tmp = Real("/tmp")};
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
