#include "base/trusted_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <deque>
#include <filesystem>
#include <utility>

#include "base/file.h"

namespace palyra::base {
namespace {

namespace fs = std::filesystem;

// As many as the kernel follows.
constexpr int kMostLinks = 40;

std::string Quoted(const std::string& verb, const std::string& path) {
  return verb + " \"" + path + '"';
}

Result<void> Judge(const struct stat& status, const std::string& path, bool is_last) {
  const bool is_ours = status.st_uid == 0 || status.st_uid == geteuid();
  // Of a link the mode means nothing.
  const bool others_write = !S_ISLNK(status.st_mode) && (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  const bool is_sticky = S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0 && !is_last;
  if (is_ours && (!others_write || is_sticky)) return {};
  return Fail(ErrorCode::kPermissionDenied,
              Quoted("cannot trust", path) +
                  ": it could be changed by others than root; fix it with \"chown root\" and "
                  "\"chmod go-w\"");
}

Result<fs::path> TargetOf(const fs::path& link) {
  std::array<char, PATH_MAX> target;
  const ssize_t length = readlink(link.c_str(), target.data(), target.size());
  if (length < 0) return FailErrno(errno, Quoted("cannot read the link", link));
  return fs::path(std::string(target.data(), static_cast<size_t>(length)));
}

// Without the empty part after a last slash. The root of an absolute path is one of them, which
// starts anew where it is appended.
std::deque<fs::path> PartsOf(const fs::path& path) {
  std::deque<fs::path> parts(path.begin(), path.end());
  std::erase_if(parts, [](const fs::path& part) { return part.empty(); });
  return parts;
}

}  // namespace

Result<void> RequireTrusted(const std::string& path) {
  std::error_code failure;
  const fs::path absolute = fs::absolute(path, failure);
  if (failure) return FailErrno(failure.value(), Quoted("cannot find", path));
  std::deque<fs::path> left = PartsOf(absolute);
  fs::path done;
  int links = 0;
  while (!left.empty()) {
    const fs::path next = done / left.front();
    left.pop_front();
    struct stat status;
    if (lstat(next.c_str(), &status) != 0) return FailErrno(errno, Quoted("cannot stat", next));
    if (Result<void> judged = Judge(status, next, left.empty()); !judged) return judged;
    if (!S_ISLNK(status.st_mode)) {
      done = next;
      continue;
    }
    if (++links > kMostLinks) return FailErrno(ELOOP, Quoted("cannot follow", path));
    Result<fs::path> target = TargetOf(next);
    if (!target) return std::unexpected(target.error());
    const std::deque<fs::path> parts = PartsOf(*target);
    left.insert(left.begin(), parts.begin(), parts.end());
  }
  return {};
}

Result<std::string> ReadTrustedFile(const std::string& path, size_t max_bytes) {
  if (Result<void> trusted = RequireTrusted(path); !trusted) {
    return std::unexpected(trusted.error());
  }
  // Not to wait for somebody at the other end of a pipe.
  Result<UniqueFd> fd = OpenFile(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!fd) return std::unexpected(fd.error());
  struct stat status;
  if (fstat(fd->get(), &status) != 0) return FailErrno(errno, Quoted("cannot stat", path));
  if (!S_ISREG(status.st_mode)) {
    return Fail(ErrorCode::kInvalidArgument, Quoted("no regular file:", path));
  }
  return ReadAll(fd->get(), max_bytes, path);
}

}  // namespace palyra::base
