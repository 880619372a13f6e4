#include "cli/policy_sources.h"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <utility>

#include "base/file.h"
#include "policy/mandatory.h"

namespace palyra::cli {
namespace {

namespace fs = std::filesystem;
using policy::EntityStore;
using policy::Layer;
using policy::PolicySet;
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

Result<EntityStore> ReadEntities(const std::string& path) {
  Result<SourcePtr> source = ReadSource(path);
  if (!source) return std::unexpected(source.error());
  return EntityStore::FromJson(**source);
}

Result<PolicySet> ParsePolicies(const std::vector<SourcePtr>& sources) {
  std::expected<PolicySet, std::vector<policy::Diagnostic>> parsed = PolicySet::Parse(sources);
  if (!parsed) return std::unexpected(policy::ToError(parsed.error()));
  return *std::move(parsed);
}

Result<LayerPolicies> OperatorLayer() {
  Result<std::vector<SourcePtr>> sources = ReadTrustedSources(kOperatorPolicies);
  if (!sources) return std::unexpected(sources.error());
  Result<PolicySet> policies = ParsePolicies(*sources);
  if (!policies) return std::unexpected(policies.error());
  EntityStore entities;
  if (Exists(kOperatorEntities)) {
    if (Result<void> safe = RequireRootOnly(kOperatorEntities); !safe) {
      return std::unexpected(safe.error());
    }
    Result<EntityStore> read = ReadEntities(kOperatorEntities);
    if (!read) return std::unexpected(read.error());
    entities = *std::move(read);
  }
  return LayerPolicies{Layer::kOperator, *std::move(policies), std::move(entities)};
}

Result<LayerPolicies> CallerLayer(const RunOptions& options) {
  Result<std::vector<SourcePtr>> sources = CallerSources(options);
  if (!sources) return std::unexpected(sources.error());
  Result<PolicySet> policies = ParsePolicies(*sources);
  if (!policies) return std::unexpected(policies.error());
  EntityStore entities;
  if (options.entities) {
    Result<EntityStore> read = ReadEntities(*options.entities);
    if (!read) return std::unexpected(read.error());
    entities = *std::move(read);
  }
  return LayerPolicies{Layer::kCaller, *std::move(policies), std::move(entities)};
}

std::string CallersOwnPolicies() {
  const passwd* entry = getpwuid(getuid());
  return entry == nullptr ? "" : std::string(entry->pw_dir) + "/.config/palyra/policy.d";
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

Result<std::vector<LayerPolicies>> LoadLayers(const RunOptions& options) {
  std::vector<LayerPolicies> layers;
  layers.push_back({Layer::kMandatory, policy::MandatoryPolicies(), EntityStore()});
  if (Exists(kOperatorPolicies)) {
    Result<LayerPolicies> layer = OperatorLayer();
    if (!layer) return std::unexpected(layer.error());
    layers.push_back(*std::move(layer));
  }
  Result<LayerPolicies> layer = CallerLayer(options);
  if (!layer) return std::unexpected(layer.error());
  layers.push_back(*std::move(layer));
  return layers;
}

}  // namespace palyra::cli
