#include "engine/tools/tool_registry.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <tuple>
#include <utility>

#include "base/trusted_file.h"

namespace palyra::engine {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostBytes = size_t{1} << 20;  // Of one file.

Result<std::vector<std::string>> FilesIn(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code failure;
  fs::directory_iterator entry(directory, failure);
  for (; !failure && entry != fs::directory_iterator(); entry.increment(failure)) {
    if (entry->path().extension() == ".toml") files.push_back(entry->path().string());
  }
  if (failure) return FailErrno(failure.value(), "cannot read the directory \"" + directory + '"');
  std::ranges::sort(files);
  return files;
}

bool Names(const ToolExecutable& entry, const Executable& executable) {
  struct stat status;
  return stat(entry.path.c_str(), &status) == 0 && status.st_dev == executable.device &&
         status.st_ino == executable.inode;
}

// As it was asked for where others cannot lead that elsewhere, else as the registry has it.
std::string PathToExecute(const ToolExecutable& entry, const Executable& executable) {
  const bool is_safe =
      executable.path.starts_with('/') && base::RequireTrusted(executable.path).has_value();
  return is_safe ? executable.path : entry.path;
}

std::unexpected<Error> IsThereAlready(const std::string& path, const ToolMetadata& tool) {
  return Fail(ErrorCode::kInvalidArgument,
              path + ": the tool \"" + tool.name + "\" is in \"" + tool.source + "\" already");
}

}  // namespace

Result<void> ToolRegistry::Add(const std::string& directory) {
  if (access(directory.c_str(), F_OK) != 0) return {};
  if (Result<void> trusted = base::RequireTrusted(directory); !trusted) return trusted;
  const Result<std::vector<std::string>> files = FilesIn(directory);
  if (!files) return std::unexpected(files.error());
  std::map<std::string, ToolMetadata> added;
  for (const std::string& path : *files) {
    const Result<std::string> text = base::ReadTrustedFile(path, kMostBytes);
    if (!text) return std::unexpected(text.error());
    Result<ToolFile> file = ParseTools(*text, path);
    if (!file) return std::unexpected(file.error());
    for (const ToolMetadata& tool : file->tools) {
      const auto [known, is_new] = added.try_emplace(tool.name, tool);
      if (!is_new) return IsThereAlready(path, known->second);
    }
    if (file->budget) budget_ = file->budget;
  }
  for (auto& [name, tool] : added) {
    std::erase_if(tools_, [&](const ToolMetadata& known) { return known.name == name; });
    tools_.push_back(std::move(tool));
  }
  std::ranges::sort(tools_, {}, &ToolMetadata::name);
  return {};
}

Result<ToolRegistry> ToolRegistry::Load(const std::vector<std::string>& directories) {
  ToolRegistry registry;
  for (const std::string& directory : directories) {
    if (Result<void> added = registry.Add(directory); !added) {
      return std::unexpected(added.error());
    }
  }
  return registry;
}

const ToolMetadata* ToolRegistry::Find(std::string_view name) const {
  const auto found = std::ranges::lower_bound(tools_, name, {}, &ToolMetadata::name);
  return found == tools_.end() || found->name != name ? nullptr : &*found;
}

const ToolMetadata& ToolRegistry::unknown() const {
  const ToolMetadata* entry = Find(kUnknownToolName);
  return entry == nullptr ? built_in_unknown_ : *entry;
}

Result<std::vector<ToolMatch>> ToolRegistry::Match(const Executable& executable) const {
  std::optional<base::Sha256Digest> digest;
  std::vector<std::pair<bool, ToolMatch>> found;  // Whether it names the path that was asked for.
  for (const ToolMetadata& tool : tools_) {
    for (const ToolExecutable& entry : tool.executables) {
      if (!Names(entry, executable)) continue;
      ToolMatch match{.tool = &tool, .path = PathToExecute(entry, executable), .distrusted = {}};
      if (const Result<void> trusted = base::RequireTrusted(entry.path); !trusted) {
        match.distrusted = trusted.error().message;
      }
      if (entry.sha256 && !digest) {
        const Result<base::Sha256Digest> made = DigestOf(executable);
        if (!made) return std::unexpected(made.error());
        digest = *made;
      }
      if (entry.sha256 && *entry.sha256 != *digest) {
        match.is_changed = true;
        match.distrusted = "its SHA-256 is not the entry's: \"" + entry.path + "\" has changed";
      }
      const bool is_tool = match.distrusted.empty();
      // One that is it holds for all that the entry lists.
      if (is_tool)
        std::erase_if(found, [&](const auto& other) { return other.second.tool == &tool; });
      found.emplace_back(entry.path == executable.path, std::move(match));
      if (is_tool) break;
    }
  }
  std::ranges::stable_sort(found, [](const auto& a, const auto& b) {
    return std::tuple(a.second.tool->sensitivity, a.first) >
           std::tuple(b.second.tool->sensitivity, b.first);
  });
  std::vector<ToolMatch> matches;
  matches.reserve(found.size());
  for (auto& [is_asked, match] : found) matches.push_back(std::move(match));
  return matches;
}

}  // namespace palyra::engine
