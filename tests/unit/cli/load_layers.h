// The layers of options, read and parsed in one step.

#ifndef PALYRA_TESTS_UNIT_CLI_LOAD_LAYERS_H_
#define PALYRA_TESTS_UNIT_CLI_LOAD_LAYERS_H_

#include <optional>
#include <vector>

#include "cli/policy_sources.h"

namespace palyra::cli {

inline const policy::Places kSomePlaces = {
    .workspace = "/home/a/src/app", .home = "/home/a", .tmp = "/tmp"};

inline Result<std::vector<LayerPolicies>> LoadLayers(const RunOptions& options) {
  const Result<std::vector<LayerSources>> sources = ReadLayers(options, policy::FileParts::kNone);
  if (!sources) return std::unexpected(sources.error());
  return ParseLayers(*sources, kSomePlaces);
}

inline Result<std::optional<LayerPolicies>> LoadOperatorLayer() {
  const Result<std::optional<LayerSources>> sources = ReadOperatorLayer();
  if (!sources) return std::unexpected(sources.error());
  if (!*sources) return std::nullopt;
  Result<LayerPolicies> layer = ParseLayer(**sources, kSomePlaces);
  if (!layer) return std::unexpected(layer.error());
  return *std::move(layer);
}

}  // namespace palyra::cli

#endif  // PALYRA_TESTS_UNIT_CLI_LOAD_LAYERS_H_
