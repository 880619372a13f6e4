// Where the policies of a run come from: the layers of docs/architecture.md.

#ifndef PALYRA_CLI_POLICY_SOURCES_H_
#define PALYRA_CLI_POLICY_SOURCES_H_

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/run_options.h"
#include "engine/policy_bundle.h"
#include "policy/compile/compiler.h"
#include "policy/compile/places.h"
#include "policy/entities.h"
#include "policy/mandatory.h"
#include "policy/policy_set.h"
#include "policy/source.h"

namespace palyra::cli {

inline constexpr const char* kOperatorPolicies = "/etc/palyra/policy.d";
inline constexpr const char* kOperatorEntities = "/etc/palyra/entities.json";
inline constexpr const char* kOperatorSchema = "/etc/palyra/schema.cedarschema";

// What a layer is made of, as text.
struct LayerSources {
  policy::Layer layer;
  std::vector<policy::SourcePtr> policies;
  // Of the caller's: rules from the command line, which follow the policies; and what fills in
  // where those speak of no file (policy/defaults.h). With `= {}` because g++ warns where it is
  // left out.
  std::vector<policy::SourcePtr> shorthands = {};  // NOLINT(readability-redundant-member-init)
  std::vector<policy::SourcePtr> defaults = {};    // NOLINT(readability-redundant-member-init)
  policy::SourcePtr entities = nullptr;            // Null: none.
  policy::SourcePtr schema = nullptr;
};

// The policies of one layer with the entities that they speak of.
struct LayerPolicies {
  policy::Layer layer;
  policy::PolicySet policies;
  policy::EntityStore entities;
  std::vector<policy::Diagnostic> warnings;  // Of the validator.
};

// A file, or every *.cedar of a directory in the order of their names. Named as given.
Result<std::vector<policy::SourcePtr>> ReadPolicySources(const std::string& path);

// The caller's layer but for defaults: --policy, then the shorthands in their order; where neither
// is given, ~/.config/palyra/policy.d of the calling user if it is there; else none, which denies
// everything. Never a file that is merely found in the workspace.
Result<std::vector<policy::SourcePtr>> CallerSources(const RunOptions& options);

// The operator's files: those of `paths`, or of /etc/palyra/policy.d where there are none, with
// /etc/palyra/entities.json and /etc/palyra/schema.cedarschema where these exist. What could have
// been changed by others than root is refused.
Result<engine::PolicyBundle> ReadOperatorBundle(const std::vector<std::string>& paths);

// The layer that those files are.
LayerSources SourcesOfBundle(const engine::PolicyBundle& bundle);

// The version of the operator's policies that was loaded and is in force; where none was ever
// loaded, /etc/palyra/policy.d; nothing where that does not exist either.
Result<std::optional<LayerSources>> ReadOperatorLayer();

// All layers of a run, outermost first: mandatory, operator (see ReadOperatorLayer), caller. What
// is built in about files (--defaults) is in the mandatory one and the caller's. Directories that
// are used without being named must belong to root and be writable by nobody else.
Result<std::vector<LayerSources>> ReadLayers(const RunOptions& options, policy::FileParts files);

// The layer with every place in its stead. Policies and entities are held to the Palyra schema, to
// which the layer's own one (--schema, /etc/palyra/schema.cedarschema) adds; the built-in ones are
// not held to it again. What does not parse, or is not valid, fails with its rendered diagnostics
// as the message, and leaves them in `diagnostics` where that is not null. The entities of a layer
// with policies of its own hold the actions of the schema.
Result<LayerPolicies> ParseLayer(const LayerSources& sources, const policy::Places& places,
                                 std::vector<policy::Diagnostic>* diagnostics = nullptr);

// The same of all of them.
Result<std::vector<LayerPolicies>> ParseLayers(
    std::span<const LayerSources> sources, const policy::Places& places,
    std::vector<policy::Diagnostic>* diagnostics = nullptr);

// Of a run that is only watched: the mandatory layer, and a permit of everything else.
std::vector<LayerSources> LayersToWatch(std::vector<LayerSources> layers);

// The real paths that --allow-read and the like name.
Result<std::vector<std::string>> PermittedPaths(const RunOptions& options);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_POLICY_SOURCES_H_
