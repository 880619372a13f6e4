#include "cli/policy_sources.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "base/accounts.h"
#include "base/file.h"
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

// What is used without being named on the command line must be nobody's but root's.
Result<void> RequireRootOnly(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) {
    return FailErrno(errno, fmt::format("cannot stat \"{}\"", path));
  }
  if (status.st_uid == 0 && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0) return {};
  return Fail(ErrorCode::kPermissionDenied,
              fmt::format("\"{}\" could be changed by others than root; fix it with \"chown root\" "
                          "and \"chmod go-w\"",
                          path));
}

Result<std::vector<SourcePtr>> ReadTrustedSources(const std::string& directory) {
  if (Result<void> safe = RequireRootOnly(directory); !safe) return std::unexpected(safe.error());
  Result<std::vector<SourcePtr>> sources = ReadPolicySources(directory);
  if (!sources) return sources;
  for (const SourcePtr& source : *sources) {
    Result<void> safe = RequireRootOnly(source->name());
    if (!safe) return std::unexpected(safe.error());
  }
  return sources;
}

Result<Schema> ReadSchema(const std::optional<std::string>& path) {
  std::vector<policy::SchemaFragment> extensions;
  if (path) {
    Result<SourcePtr> source = ReadSource(*path);
    if (!source) return std::unexpected(source.error());
    auto parsed = path->ends_with(".json") ? policy::ParseSchemaJson(*source)
                                           : policy::ParseSchemaText(*source);
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
  std::optional<std::string> entities;
  std::optional<std::string> schema;
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
    Result<SourcePtr> source = ReadSource(*files.entities);
    if (!source) return std::unexpected(source.error());
    Result<EntityStore> entities = policy::EntitiesFromJson(**source, *schema);
    if (!entities) return std::unexpected(entities.error());
    layer.entities = *std::move(entities);
  }
  return layer;
}

Result<std::optional<std::string>> TrustedFileIfThere(const char* path) {
  if (!Exists(path)) return std::nullopt;
  if (Result<void> safe = RequireRootOnly(path); !safe) return std::unexpected(safe.error());
  return path;
}

Result<LayerPolicies> OperatorLayer(Diagnostics* diagnostics) {
  Result<std::vector<SourcePtr>> policies = ReadTrustedSources(kOperatorPolicies);
  if (!policies) return std::unexpected(policies.error());
  Result<std::optional<std::string>> entities = TrustedFileIfThere(kOperatorEntities);
  if (!entities) return std::unexpected(entities.error());
  Result<std::optional<std::string>> schema = TrustedFileIfThere(kOperatorSchema);
  if (!schema) return std::unexpected(schema.error());
  return ReadLayer({.layer = Layer::kOperator,
                    .policies = *std::move(policies),
                    .entities = *std::move(entities),
                    .schema = *std::move(schema)},
                   diagnostics);
}

Result<LayerPolicies> CallerLayer(const RunOptions& options, Diagnostics* diagnostics) {
  Result<std::vector<SourcePtr>> policies = CallerSources(options);
  if (!policies) return std::unexpected(policies.error());
  return ReadLayer({.layer = Layer::kCaller,
                    .policies = *std::move(policies),
                    .entities = options.entities,
                    .schema = options.schema},
                   diagnostics);
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
  if (options.policies.empty() && options.net_rules.empty()) {
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
  return all;
}

Result<std::vector<LayerPolicies>> LoadLayers(const RunOptions& options,
                                              std::vector<policy::Diagnostic>* diagnostics) {
  std::vector<LayerPolicies> layers;
  layers.push_back({Layer::kMandatory, policy::MandatoryPolicies(), EntityStore(), {}});
  if (Exists(kOperatorPolicies)) {
    Result<LayerPolicies> layer = OperatorLayer(diagnostics);
    if (!layer) return std::unexpected(layer.error());
    layers.push_back(*std::move(layer));
  }
  Result<LayerPolicies> layer = CallerLayer(options, diagnostics);
  if (!layer) return std::unexpected(layer.error());
  layers.push_back(*std::move(layer));
  return layers;
}

}  // namespace palyra::cli
