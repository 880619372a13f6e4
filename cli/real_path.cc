#include "cli/real_path.h"

#include <fmt/format.h>
#include <grp.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/accounts.h"

namespace palyra::cli {
namespace {

// The user who called sudo, as whom the file system is asked for as long as this lives. With
// another uid than 0 the capabilities about files are gone meanwhile.
class CallersRights {
 public:
  static Result<CallersRights> Take() {
    const char* const sudo_uid = std::getenv("SUDO_UID");
    if (geteuid() != 0 || sudo_uid == nullptr) return CallersRights();
    const std::optional<uint32_t> uid = base::ParseId(sudo_uid);
    if (!uid) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("SUDO_UID is \"{}\", no uid", sudo_uid));
    }
    const base::UserDatabase users;
    const std::optional<base::Account> account = users.Find(*uid);
    const gid_t gid = account ? account->gid : *uid;
    const std::vector<gid_t> groups = account ? users.GroupsOf(*account) : std::vector<gid_t>();
    CallersRights rights;
    rights.groups_.emplace(static_cast<size_t>(getgroups(0, nullptr)));
    if (getgroups(static_cast<int>(rights.groups_->size()), rights.groups_->data()) < 0 ||
        setgroups(groups.size(), groups.data()) != 0) {
      rights.groups_.reset();
      return FailErrno(errno, "cannot look for paths as the user who called sudo");
    }
    setfsgid(gid);
    setfsuid(*uid);
    return rights;
  }

  CallersRights(CallersRights&& other) noexcept : groups_(std::exchange(other.groups_, {})) {}
  CallersRights& operator=(CallersRights&&) = delete;
  ~CallersRights() {
    if (!groups_) return;
    setfsuid(geteuid());
    setfsgid(getegid());
    // Root may always; and with fewer groups it could only do less.
    (void)!setgroups(groups_->size(), groups_->data());
  }

 private:
  CallersRights() = default;

  std::optional<std::vector<gid_t>> groups_;  // Which come back; nothing where nothing was taken.
};

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
