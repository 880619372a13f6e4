#include "cli/policy_sources.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include "base/accounts.h"
#include "base/file.h"
#include "base/trusted_file.h"
#include "cli/real_path.h"
#include "engine/policy_store.h"
#include "policy/defaults.h"
#include "policy/mandatory.h"
#include "policy/schema/data.h"
#include "policy/schema/json_reader.h"
#include "policy/schema/palyra_schema.h"
#include "policy/schema/text_parser.h"
#include "policy/validate/engine_policies.h"

namespace palyra::cli {
namespace {

namespace fs = std::filesystem;
using policy::EntityStore;
using policy::Layer;
using policy::PolicySet;
using policy::Schema;
using policy::SourceFile;
using policy::SourcePtr;

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

Result<SourcePtr> ReadSource(const std::string& path) {
  Result<std::string> text = base::ReadFile(path);
  if (!text) return std::unexpected(text.error());
  return std::make_shared<const SourceFile>(path, *std::move(text));
}

Result<std::vector<std::string>> CedarFilesIn(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code failure;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, failure)) {
    if (entry.path().extension() == ".cedar") files.push_back(entry.path().string());
  }
  if (failure) {
    return FailErrno(failure.value(), fmt::format("cannot read the directory \"{}\"", directory));
  }
  std::ranges::sort(files);
  return files;
}

Result<std::vector<SourcePtr>> ReadTrustedSources(const std::string& directory) {
  if (Result<void> safe = base::RequireTrusted(directory); !safe)
    return std::unexpected(safe.error());
  Result<std::vector<SourcePtr>> sources = ReadPolicySources(directory);
  if (!sources) return sources;
  for (const SourcePtr& source : *sources) {
    Result<void> safe = base::RequireTrusted(source->name());
    if (!safe) return std::unexpected(safe.error());
  }
  return sources;
}

Result<Schema> ReadSchema(const SourcePtr& source,
                          policy::EngineAttributes attributes = policy::EngineAttributes::kThere) {
  std::vector<policy::SchemaFragment> extensions;
  if (source != nullptr) {
    auto parsed = source->name().ends_with(".json") ? policy::ParseSchemaJson(source)
                                                    : policy::ParseSchemaText(source);
    if (!parsed) return std::unexpected(policy::ToError(parsed.error()));
    extensions.push_back(*std::move(parsed));
  }
  auto schema = policy::PalyraSchema(extensions, attributes);
  if (!schema) return std::unexpected(policy::ToError(schema.error()));
  return *std::move(schema);
}

using Diagnostics = std::vector<policy::Diagnostic>;

std::unexpected<Error> Refuse(Diagnostics found, Diagnostics* diagnostics) {
  Error error = policy::ToError(found);
  if (diagnostics != nullptr) *diagnostics = std::move(found);
  return std::unexpected(std::move(error));
}

// The policies of the layer as its files have them, with its entities.
Result<LayerPolicies> ReadLayer(const LayerSources& sources, Diagnostics* diagnostics) {
  LayerPolicies layer = {.layer = sources.layer, .policies = {}, .entities = {}, .warnings = {}};
  std::vector<SourcePtr> texts = sources.policies;
  texts.insert(texts.end(), sources.shorthands.begin(), sources.shorthands.end());
  auto policies = PolicySet::Parse(texts);
  if (!policies) return Refuse(std::move(policies.error()), diagnostics);
  layer.policies = *std::move(policies);
  // Where there is nothing to hold to a schema, a run starts faster.
  const bool is_ours = sources.layer == Layer::kMandatory;
  if (is_ours || (texts.empty() && !sources.entities && !sources.schema)) return layer;

  Result<Schema> schema = ReadSchema(sources.schema);
  if (!schema) return std::unexpected(schema.error());
  auto warnings = policy::ValidateForEngine(layer.policies, *schema);
  if (!warnings) return Refuse(std::move(warnings.error()), diagnostics);
  layer.warnings = *std::move(warnings);
  layer.entities = schema->action_entities();
  if (sources.entities) {
    Result<Schema> written = ReadSchema(sources.schema, policy::EngineAttributes::kMayLack);
    if (!written) return std::unexpected(written.error());
    Result<EntityStore> entities = policy::EntitiesFromJson(*sources.entities, *written);
    if (!entities) return std::unexpected(entities.error());
    layer.entities = *std::move(entities);
  }
  return layer;
}

Result<SourcePtr> ReadIfNamed(const std::optional<std::string>& path) {
  return path ? ReadSource(*path) : Result<SourcePtr>(nullptr);
}

// What others do outside the run is not the tool's.
const char* const kWatched =
    "permit (principal, action, resource)\n"
    "unless { resource is Palyra::Process && !resource.same_run };\n";

SourcePtr FromCommandLine(std::string text) {
  return std::make_shared<const SourceFile>("command line", std::move(text));
}

Result<std::vector<SourcePtr>> ShorthandSources(const RunOptions& options) {
  std::vector<SourcePtr> all;
  for (const NetRule& rule : options.net_rules) {
    Result<std::string> text = policy::NetShorthandToCedar(rule.kind, rule.argument);
    if (!text) return std::unexpected(text.error());
    all.push_back(FromCommandLine(*std::move(text)));
  }
  for (const std::string& rule : options.unix_rules) {
    Result<std::string> text = policy::UnixShorthandToCedar(rule);
    if (!text) return std::unexpected(text.error());
    all.push_back(FromCommandLine(*std::move(text)));
  }
  for (const PathRule& rule : options.path_rules) {
    const Result<std::string> path = RealPath(rule.argument);
    if (!path) {
      return Fail(path.error().code,
                  fmt::format("{}: {}", OptionName(rule.kind), path.error().message));
    }
    struct stat status;
    const bool is_device = stat(path->c_str(), &status) == 0 && S_ISCHR(status.st_mode);
    const policy::PathShorthand kind = is_device && rule.kind == policy::PathShorthand::kAllowWrite
                                           ? policy::PathShorthand::kAllowDevice
                                           : rule.kind;
    Result<std::string> text = policy::PathShorthandToCedar(kind, rule.argument, *path);
    if (!text) return std::unexpected(text.error());
    all.push_back(FromCommandLine(*std::move(text)));
  }
  return all;
}

std::string CallersOwnPolicies() {
  const std::optional<base::Account> account = base::UserDatabase().Find(getuid());
  return account ? account->home + "/.config/palyra/policy.d" : "";
}

// Without shorthands, of which there are some or none.
Result<std::vector<SourcePtr>> CallerFiles(const RunOptions& options, bool has_shorthands) {
  if (options.policies.empty() && !has_shorthands) {
    const std::string own = CallersOwnPolicies();
    if (!own.empty() && Exists(own)) return ReadTrustedSources(own);
    return std::vector<SourcePtr>();
  }
  std::vector<SourcePtr> all;
  for (const std::string& path : options.policies) {
    Result<std::vector<SourcePtr>> sources = ReadPolicySources(path);
    if (!sources) return sources;
    all.insert(all.end(), sources->begin(), sources->end());
  }
  return all;
}

Result<LayerSources> ReadCallerLayer(const RunOptions& options) {
  LayerSources layer = {.layer = Layer::kCaller, .policies = {}};
  Result<std::vector<SourcePtr>> shorthands = ShorthandSources(options);
  if (!shorthands) return std::unexpected(shorthands.error());
  Result<std::vector<SourcePtr>> policies = CallerFiles(options, !shorthands->empty());
  if (!policies) return std::unexpected(policies.error());
  Result<SourcePtr> entities = ReadIfNamed(options.entities);
  if (!entities) return std::unexpected(entities.error());
  Result<SourcePtr> schema = ReadIfNamed(options.schema);
  if (!schema) return std::unexpected(schema.error());
  layer.policies = *std::move(policies);
  layer.shorthands = *std::move(shorthands);
  layer.entities = *std::move(entities);
  layer.schema = *std::move(schema);
  return layer;
}

Result<std::optional<engine::PolicyFile>> TrustedFileIfThere(const char* path) {
  if (!Exists(path)) return std::nullopt;
  Result<std::string> text = base::ReadTrustedFile(path);
  if (!text) return std::unexpected(text.error());
  return engine::PolicyFile{.name = path, .text = *std::move(text)};
}

SourcePtr SourceOf(const engine::PolicyFile& file) {
  return std::make_shared<const SourceFile>(file.name, file.text);
}

}  // namespace

std::vector<LayerSources> LayersToWatch(std::vector<LayerSources> layers) {
  std::erase_if(layers, [](const LayerSources& layer) { return layer.layer != Layer::kMandatory; });
  layers.push_back({.layer = Layer::kCaller,
                    .policies = {std::make_shared<const SourceFile>("--tier watch", kWatched)}});
  return layers;
}

Result<std::vector<std::string>> PermittedPaths(const RunOptions& options) {
  std::vector<std::string> paths;
  for (const PathRule& rule : options.path_rules) {
    using enum policy::PathShorthand;
    if (rule.kind == kDenyRead || rule.kind == kDenyWrite) continue;
    Result<std::string> path = RealPath(rule.argument);
    if (!path) return std::unexpected(path.error());
    paths.push_back(*std::move(path));
  }
  return paths;
}

Result<std::vector<SourcePtr>> ReadPolicySources(const std::string& path) {
  std::vector<std::string> files = {path};
  if (fs::is_directory(path)) {
    Result<std::vector<std::string>> listed = CedarFilesIn(path);
    if (!listed) return std::unexpected(listed.error());
    files = *std::move(listed);
  }
  std::vector<SourcePtr> sources;
  for (const std::string& file : files) {
    Result<SourcePtr> source = ReadSource(file);
    if (!source) return std::unexpected(source.error());
    sources.push_back(*std::move(source));
  }
  return sources;
}

Result<std::vector<SourcePtr>> CallerSources(const RunOptions& options) {
  Result<LayerSources> layer = ReadCallerLayer(options);
  if (!layer) return std::unexpected(layer.error());
  std::ranges::move(layer->shorthands, std::back_inserter(layer->policies));
  return std::move(layer->policies);
}

Result<engine::PolicyBundle> ReadOperatorBundle(const std::vector<std::string>& paths) {
  engine::PolicyBundle bundle;
  for (const std::string& path :
       paths.empty() ? std::vector<std::string>{kOperatorPolicies} : paths) {
    Result<std::vector<SourcePtr>> sources = ReadTrustedSources(path);
    if (!sources) return std::unexpected(sources.error());
    for (const SourcePtr& source : *sources) {
      bundle.policies.push_back({.name = source->name(), .text = std::string(source->text())});
    }
  }
  Result<std::optional<engine::PolicyFile>> entities = TrustedFileIfThere(kOperatorEntities);
  if (!entities) return std::unexpected(entities.error());
  Result<std::optional<engine::PolicyFile>> schema = TrustedFileIfThere(kOperatorSchema);
  if (!schema) return std::unexpected(schema.error());
  bundle.entities = *std::move(entities);
  bundle.schema = *std::move(schema);
  return bundle;
}

LayerSources SourcesOfBundle(const engine::PolicyBundle& bundle) {
  LayerSources sources = {.layer = Layer::kOperator, .policies = {}};
  for (const engine::PolicyFile& policy : bundle.policies) {
    sources.policies.push_back(SourceOf(policy));
  }
  if (bundle.entities) sources.entities = SourceOf(*bundle.entities);
  if (bundle.schema) sources.schema = SourceOf(*bundle.schema);
  return sources;
}

Result<std::optional<LayerSources>> ReadOperatorLayer() {
  Result<std::optional<engine::PolicyStore::Stored>> stored = engine::PolicyStore().InForce();
  if (!stored) return std::unexpected(stored.error());
  if (*stored) return SourcesOfBundle((*stored)->bundle);
  if (!Exists(kOperatorPolicies)) return std::nullopt;
  const Result<engine::PolicyBundle> read = ReadOperatorBundle({});
  if (!read) return std::unexpected(read.error());
  return SourcesOfBundle(*read);
}

Result<std::vector<LayerSources>> ReadLayers(const RunOptions& options, policy::FileParts files) {
  std::vector<LayerSources> layers;
  layers.push_back({.layer = Layer::kMandatory,
                    .policies = policy::MandatorySources(
                        {.is_offline = options.egress == policy::EgressEnforcementMode::kNone,
                         .files = files})});
  Result<std::optional<LayerSources>> operators = ReadOperatorLayer();
  if (!operators) return std::unexpected(operators.error());
  if (*operators) layers.push_back(**std::move(operators));
  Result<LayerSources> caller = ReadCallerLayer(options);
  if (!caller) return std::unexpected(caller.error());
  caller->defaults = policy::DefaultSources(files);
  layers.push_back(*std::move(caller));
  return layers;
}

Result<LayerPolicies> ParseLayer(const LayerSources& sources, const policy::Places& places,
                                 Diagnostics* diagnostics) {
  Result<LayerPolicies> layer = ReadLayer(sources, diagnostics);
  if (!layer) return layer;
  if (!sources.defaults.empty()) {
    Result<PolicySet> filled = policy::WithDefaults(std::move(layer->policies), layer->entities,
                                                    sources.shorthands, sources.defaults);
    if (!filled) return std::unexpected(filled.error());
    layer->policies = *std::move(filled);
  }
  auto placed = policy::ExpandPlaces(layer->policies, places);
  if (!placed) return Refuse(std::move(placed.error()), diagnostics);
  layer->policies = *std::move(placed);
  return layer;
}

Result<std::vector<LayerPolicies>> ParseLayers(std::span<const LayerSources> sources,
                                               const policy::Places& places,
                                               Diagnostics* diagnostics) {
  std::vector<LayerPolicies> layers;
  for (const LayerSources& each : sources) {
    Result<LayerPolicies> layer = ParseLayer(each, places, diagnostics);
    if (!layer) return std::unexpected(layer.error());
    layers.push_back(*std::move(layer));
  }
  return layers;
}

}  // namespace palyra::cli
