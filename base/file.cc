#include "base/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
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

}  // namespace palyra::base
