#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

namespace palyra::base {
namespace {

std::string Quoted(std::string_view verb, std::string_view name) {
  std::string text(verb);
  text += " \"";
  text += name;
  text += '"';
  return text;
}

Result<void> Sync(int fd, std::string_view name) {
  if (fsync(fd) == 0) return {};
  return FailErrno(errno, Quoted("cannot write to the disk", name));
}

Result<void> WriteSynced(const std::string& path, std::string_view data, unsigned mode) {
  Result<UniqueFd> fd = OpenFile(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
  if (!fd) return std::unexpected(fd.error());
  Result<void> written = WriteAll(fd->get(), data, path);
  if (written) written = Sync(fd->get(), path);
  return written;
}

Result<void> SyncDirectory(const std::string& path) {
  Result<UniqueFd> fd = OpenFile(path, O_RDONLY | O_DIRECTORY);
  if (!fd) return std::unexpected(fd.error());
  return Sync(fd->get(), path);
}

}  // namespace

Result<UniqueFd> OpenFile(const std::string& path, int flags, unsigned mode) {
  int fd = -1;
  do {
    fd = open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return FailErrno(errno, Quoted("cannot open", path));
  return UniqueFd(fd);
}

Result<std::string> ReadAll(int fd, size_t max_bytes, std::string_view name) {
  std::string content;
  std::array<char, 16384> buffer;
  while (true) {
    const ssize_t count = read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FailErrno(errno, Quoted("cannot read", name));
    if (count == 0) return content;
    content.append(buffer.data(), static_cast<size_t>(count));
    if (content.size() > max_bytes) {
      return Fail(ErrorCode::kInvalidArgument, Quoted("more bytes than allowed in", name) +
                                                   ": the limit is " + std::to_string(max_bytes));
    }
  }
}

Result<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  Result<UniqueFd> fd = OpenFile(path, O_RDONLY);
  if (!fd) return std::unexpected(fd.error());
  return ReadAll(fd->get(), max_bytes, path);
}

Result<void> WriteAll(int fd, std::string_view data, std::string_view name) {
  while (!data.empty()) {
    const ssize_t count = write(fd, data.data(), data.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FailErrno(errno, Quoted("cannot write", name));
    data.remove_prefix(static_cast<size_t>(count));
  }
  return {};
}

Result<void> ReplaceFile(const std::string& path, const std::string& name, std::string_view data,
                         unsigned mode) {
  std::string target = path;
  target += '/';
  target += name;
  const std::string fresh = target + ".new";
  unlink(fresh.c_str());  // Of one who died.
  Result<void> written = WriteSynced(fresh, data, mode);
  if (written && rename(fresh.c_str(), target.c_str()) != 0) {
    written = FailErrno(errno, Quoted("cannot replace", target));
  }
  if (!written) {
    unlink(fresh.c_str());
    return written;
  }
  return SyncDirectory(path);
}

Result<void> MakeDirectories(const std::string& path) {
  if (mkdir(path.c_str(), 0755) == 0) {
    return SyncDirectory(std::filesystem::path(path).parent_path());
  }
  if (errno == EEXIST) return {};
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (errno != ENOENT || parent.empty() || parent == path) {
    return FailErrno(errno, Quoted("cannot make the directory", path));
  }
  if (Result<void> made = MakeDirectories(parent); !made) return made;
  return MakeDirectories(path);
}

}  // namespace palyra::base
