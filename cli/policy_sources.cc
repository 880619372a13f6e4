#include "cli/policy_sources.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "base/accounts.h"
#include "base/file.h"
#include "base/trusted_file.h"
#include "engine/policy_store.h"
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

Result<Schema> ReadSchema(const SourcePtr& source) {
  std::vector<policy::SchemaFragment> extensions;
  if (source != nullptr) {
    auto parsed = source->name().ends_with(".json") ? policy::ParseSchemaJson(source)
                                                    : policy::ParseSchemaText(source);
    if (!parsed) return std::unexpected(policy::ToError(parsed.error()));
    extensions.push_back(*std::move(parsed));
  }
  auto schema = policy::PalyraSchema(extensions);
  if (!schema) return std::unexpected(policy::ToError(schema.error()));
  return *std::move(schema);
}

using Diagnostics = std::vector<policy::Diagnostic>;

std::unexpected<Error> Refuse(Diagnostics found, Diagnostics* diagnostics) {
  Error error = policy::ToError(found);
  if (diagnostics != nullptr) *diagnostics = std::move(found);
  return std::unexpected(std::move(error));
}

// Where a layer's parts come from.
struct LayerFiles {
  Layer layer;
  std::vector<SourcePtr> policies;
  SourcePtr entities;  // Null: none.
  SourcePtr schema;
};

Result<LayerPolicies> ReadLayer(const LayerFiles& files, Diagnostics* diagnostics) {
  LayerPolicies layer = {.layer = files.layer, .policies = {}, .entities = {}, .warnings = {}};
  // Nothing to hold to a schema, and a run without policies starts faster.
  if (files.policies.empty() && !files.entities && !files.schema) return layer;
  auto policies = PolicySet::Parse(files.policies);
  if (!policies) return Refuse(std::move(policies.error()), diagnostics);
  layer.policies = *std::move(policies);

  Result<Schema> schema = ReadSchema(files.schema);
  if (!schema) return std::unexpected(schema.error());
  auto warnings = policy::ValidateForEngine(layer.policies, *schema);
  if (!warnings) return Refuse(std::move(warnings.error()), diagnostics);
  layer.warnings = *std::move(warnings);
  layer.entities = schema->action_entities();
  if (files.entities) {
    Result<EntityStore> entities = policy::EntitiesFromJson(*files.entities, *schema);
    if (!entities) return std::unexpected(entities.error());
    layer.entities = *std::move(entities);
  }
  return layer;
}

Result<SourcePtr> ReadIfNamed(const std::optional<std::string>& path) {
  return path ? ReadSource(*path) : Result<SourcePtr>(nullptr);
}

Result<LayerPolicies> CallerLayer(const RunOptions& options, Diagnostics* diagnostics) {
  Result<std::vector<SourcePtr>> policies = CallerSources(options);
  if (!policies) return std::unexpected(policies.error());
  Result<SourcePtr> entities = ReadIfNamed(options.entities);
  if (!entities) return std::unexpected(entities.error());
  Result<SourcePtr> schema = ReadIfNamed(options.schema);
  if (!schema) return std::unexpected(schema.error());
  return ReadLayer({.layer = Layer::kCaller,
                    .policies = *std::move(policies),
                    .entities = *std::move(entities),
                    .schema = *std::move(schema)},
                   diagnostics);
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

std::string CallersOwnPolicies() {
  const std::optional<base::Account> account = base::UserDatabase().Find(getuid());
  return account ? account->home + "/.config/palyra/policy.d" : "";
}

}  // namespace

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
  if (options.policies.empty() && options.net_rules.empty() && options.unix_rules.empty()) {
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
  for (const NetRule& rule : options.net_rules) {
    Result<std::string> text = policy::NetShorthandToCedar(rule.kind, rule.argument);
    if (!text) return std::unexpected(text.error());
    all.push_back(std::make_shared<const SourceFile>("command line", *std::move(text)));
  }
  for (const std::string& rule : options.unix_rules) {
    Result<std::string> text = policy::UnixShorthandToCedar(rule);
    if (!text) return std::unexpected(text.error());
    all.push_back(std::make_shared<const SourceFile>("command line", *std::move(text)));
  }
  return all;
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

Result<LayerPolicies> LayerOfBundle(const engine::PolicyBundle& bundle, Diagnostics* diagnostics) {
  LayerFiles files = {.layer = Layer::kOperator, .policies = {}, .entities = {}, .schema = {}};
  for (const engine::PolicyFile& policy : bundle.policies) {
    files.policies.push_back(SourceOf(policy));
  }
  if (bundle.entities) files.entities = SourceOf(*bundle.entities);
  if (bundle.schema) files.schema = SourceOf(*bundle.schema);
  return ReadLayer(files, diagnostics);
}

Result<std::optional<LayerPolicies>> LoadOperatorLayer(Diagnostics* diagnostics) {
  Result<std::optional<engine::PolicyStore::Stored>> stored = engine::PolicyStore().InForce();
  if (!stored) return std::unexpected(stored.error());
  engine::PolicyBundle bundle;
  if (*stored) {
    bundle = std::move((*stored)->bundle);
  } else {
    if (!Exists(kOperatorPolicies)) return std::nullopt;
    Result<engine::PolicyBundle> read = ReadOperatorBundle({});
    if (!read) return std::unexpected(read.error());
    bundle = *std::move(read);
  }
  Result<LayerPolicies> layer = LayerOfBundle(bundle, diagnostics);
  if (!layer) return std::unexpected(layer.error());
  return *std::move(layer);
}

Result<std::vector<LayerPolicies>> LoadLayers(const RunOptions& options,
                                              std::vector<policy::Diagnostic>* diagnostics) {
  std::vector<LayerPolicies> layers;
  const bool is_offline = options.egress == policy::EgressEnforcementMode::kNone;
  layers.push_back({Layer::kMandatory,
                    is_offline ? policy::OfflinePolicies() : policy::MandatoryPolicies(),
                    EntityStore(),
                    {}});
  Result<std::optional<LayerPolicies>> operators = LoadOperatorLayer(diagnostics);
  if (!operators) return std::unexpected(operators.error());
  if (*operators) layers.push_back(**std::move(operators));
  Result<LayerPolicies> layer = CallerLayer(options, diagnostics);
  if (!layer) return std::unexpected(layer.error());
  layers.push_back(*std::move(layer));
  return layers;
}

}  // namespace palyra::cli
