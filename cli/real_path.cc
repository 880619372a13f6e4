#include "cli/real_path.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "cli/callers_rights.h"

namespace palyra::cli {
namespace {

std::optional<std::string> Resolve(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> real(realpath(path.c_str(), nullptr), std::free);
  return real == nullptr ? std::nullopt : std::optional<std::string>(real.get());
}

bool IsLink(const std::string& path) {
  struct stat status;
  return lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode);
}

std::unexpected<Error> Cannot(const std::string& path, const std::string& why) {
  return Fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" cannot be named: {}", path, why));
}

Result<std::string> RealPathAsNow(const std::string& path) {
  std::string at = path.starts_with('/') ? path : "./" + path;
  std::string rest;
  while (true) {
    if (const std::optional<std::string> real = Resolve(at)) {
      return rest.empty() ? *real : (*real == "/" ? "" : *real) + rest;
    }
    if (errno != ENOENT) return FailErrno(errno, fmt::format("cannot resolve \"{}\"", path));
    while (at.ends_with('/')) at.pop_back();
    const size_t slash = at.rfind('/');
    if (slash == std::string::npos) return Cannot(path, "its directory is not there");
    const std::string name = at.substr(slash + 1);
    if (name == "..") return Cannot(path, "it leads back from what is not there");
    if (IsLink(at)) return Cannot(path, fmt::format("\"{}\" is a symbolic link to nothing", at));
    if (name != ".") rest.insert(0, '/' + name);
    at.resize(slash == 0 ? 1 : slash);
  }
}

}  // namespace

Result<std::string> RealPath(const std::string& path) {
  if (path.empty()) return Cannot(path, "it is empty");
  const Result<CallersRights> rights = CallersRights::Take();
  if (!rights) return std::unexpected(rights.error());
  return RealPathAsNow(path);
}

Result<std::string> RealDirectory(const std::string& path) {
  if (path.empty()) return Cannot(path, "it is empty");
  const Result<CallersRights> rights = CallersRights::Take();
  if (!rights) return std::unexpected(rights.error());
  std::optional<std::string> real = Resolve(path);
  if (!real) return FailErrno(errno, fmt::format("cannot resolve \"{}\"", path));
  struct stat status;
  if (stat(real->c_str(), &status) != 0) {
    return FailErrno(errno, fmt::format("cannot look at \"{}\"", path));
  }
  if (!S_ISDIR(status.st_mode)) return Cannot(path, "it is no directory");
  return *std::move(real);
}

Result<void> ChangeDirectory(const std::string& path) {
  const Result<CallersRights> rights = CallersRights::Take();
  if (!rights) return std::unexpected(rights.error());
  if (chdir(path.c_str()) == 0) return {};
  return FailErrno(errno, fmt::format("cannot go to \"{}\"", path));
}

}  // namespace palyra::cli
