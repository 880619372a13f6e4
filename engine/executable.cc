#include "engine/executable.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <string_view>
#include <utility>

#include "base/file.h"

namespace palyra::engine {
namespace {

// The tool's user, as whom the file system is asked for as long as this lives.
class RightsOf {
 public:
  static Result<RightsOf> Take(const ToolUser& user) {
    RightsOf rights;
    if (geteuid() != 0) return rights;
    rights.groups_.emplace(static_cast<size_t>(std::max(getgroups(0, nullptr), 0)));
    if (getgroups(static_cast<int>(rights.groups_->size()), rights.groups_->data()) < 0 ||
        setgroups(user.groups.size(), user.groups.data()) != 0) {
      rights.groups_.reset();
      return FailErrno(errno, "cannot look for the command as the tool's user");
    }
    AskFilesAs(user.uid, user.gid);
    return rights;
  }

  RightsOf(RightsOf&& other) noexcept : groups_(std::exchange(other.groups_, {})) {}
  RightsOf& operator=(RightsOf&&) = delete;
  ~RightsOf() {
    if (!groups_) return;
    AskFilesAs(geteuid(), getegid());
    // Root may always; and with fewer groups it could only do less.
    (void)!setgroups(groups_->size(), groups_->data());
  }

 private:
  RightsOf() = default;

  std::optional<std::vector<gid_t>> groups_;  // Which come back.
};

std::string ProcPath(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

Result<std::string> PathOf(int fd) {
  std::array<char, PATH_MAX> target;
  const ssize_t length = readlink(ProcPath(fd).c_str(), target.data(), target.size());
  if (length < 0) return FailErrno(errno, "cannot tell the path of the command");
  return std::string(target.data(), static_cast<size_t>(length));
}

// Nothing where it is none.
std::optional<Executable> Open(const std::string& candidate, int directory) {
  UniqueFd fd(openat(directory, candidate.c_str(), O_PATH | O_CLOEXEC));
  struct stat status;
  if (!fd.valid() || fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  if (syscall(SYS_faccessat2, fd.get(), "", X_OK, AT_EMPTY_PATH | AT_EACCESS) != 0) {
    return std::nullopt;
  }
  return Executable{.path = candidate,
                    .real_path = {},
                    .fd = std::move(fd),
                    .device = status.st_dev,
                    .inode = status.st_ino};
}

}  // namespace

std::vector<std::string> CandidatesFor(const std::string& command,
                                       const std::vector<std::string>& environment) {
  // No name is no file, and not the directories themselves.
  if (command.empty() || command.find('/') != std::string::npos) return {command};
  std::string_view path;
  for (const std::string_view variable : environment) {
    if (variable.starts_with("PATH=")) path = variable.substr(5);
  }
  std::vector<std::string> candidates;
  while (!path.empty()) {
    const size_t end = std::min(path.find(':'), path.size());
    // An empty element would mean the working directory; it is never searched unasked.
    if (end > 0) candidates.push_back(std::string(path.substr(0, end)) + '/' + command);
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return candidates;
}

Result<std::optional<Executable>> FindExecutable(const std::string& command,
                                                 const std::vector<std::string>& environment,
                                                 const ToolUser& user,
                                                 const std::string& directory) {
  const UniqueFd start(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!start.valid()) return FailErrno(errno, "cannot open \"" + directory + '"');
  std::optional<Executable> found;
  {
    const Result<RightsOf> rights = RightsOf::Take(user);
    if (!rights) return std::unexpected(rights.error());
    for (const std::string& candidate : CandidatesFor(command, environment)) {
      found = Open(candidate, start.get());
      if (found) break;
    }
  }
  if (!found) return std::nullopt;
  Result<std::string> real = PathOf(found->fd.get());
  if (!real) return std::unexpected(real.error());
  found->real_path = *std::move(real);
  return found;
}

Result<base::Sha256Digest> DigestOf(const Executable& executable) {
  const UniqueFd fd(open(ProcPath(executable.fd.get()).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return FailErrno(errno, "cannot read \"" + executable.real_path + '"');
  base::Sha256 hash;
  std::vector<uint8_t> buffer(size_t{1} << 18);
  while (true) {
    const ssize_t count = read(fd.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FailErrno(errno, "cannot read \"" + executable.real_path + '"');
    if (count == 0) return hash.Finish();
    hash.Update({buffer.data(), static_cast<size_t>(count)});
  }
}

}  // namespace palyra::engine
