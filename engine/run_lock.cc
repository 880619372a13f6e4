#include "engine/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/file.h"

namespace palyra::engine {
namespace {

Result<std::string> NewRunId() {
  std::array<unsigned char, 16> bytes;
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return FailErrno(errno, "no random numbers");
  }
  constexpr char kDigits[] = "0123456789abcdef";
  std::string id;
  for (const unsigned char byte : bytes) {
    id += kDigits[byte >> 4];
    id += kDigits[byte & 0xF];
  }
  return id;
}

// A file that was removed between open and lock is no lock any more.
bool IsStillNamed(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 && status.st_nlink > 0;
}

Result<UniqueFd> OpenLock(const std::string& runtime_directory, const std::string& path) {
  const std::string directory = RunLockDirectory(runtime_directory);
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return FailErrno(errno, "cannot make the directory \"" + directory + '"');
  }
  return base::OpenFile(path, O_RDWR | O_CREAT, 0600);
}

}  // namespace

std::string RunLockDirectory(const std::string& runtime_directory) {
  return runtime_directory + "/runs";
}

RunLock::RunLock(std::string id, std::string path, UniqueFd fd)
    : id_(std::move(id)), path_(std::move(path)), fd_(std::move(fd)) {}

RunLock::~RunLock() {
  if (fd_.valid()) unlink(path_.c_str());
}

Result<RunLock> RunLock::CreateUnique(const std::string& runtime_directory) {
  while (true) {
    Result<std::string> id = NewRunId();
    if (!id) return std::unexpected(id.error());
    const std::string path = RunLockDirectory(runtime_directory) + '/' + *id;
    Result<UniqueFd> fd = OpenLock(runtime_directory, path);
    if (!fd) return std::unexpected(fd.error());
    const bool locked = flock(fd->get(), LOCK_EX | LOCK_NB) == 0;
    if (!locked && errno != EWOULDBLOCK) return FailErrno(errno, "cannot lock \"" + path + '"');
    // A sweep may have seen the file before it was locked, and have removed it: then once more.
    if (locked && IsStillNamed(fd->get())) {
      return RunLock(*std::move(id), path, *std::move(fd));
    }
  }
}

Result<std::optional<RunLock>> RunLock::TakeAbandoned(const std::string& runtime_directory,
                                                      const std::string& id) {
  const std::string path = RunLockDirectory(runtime_directory) + '/' + id;
  Result<UniqueFd> fd = OpenLock(runtime_directory, path);
  if (!fd) return std::unexpected(fd.error());
  if (flock(fd->get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return std::nullopt;
    return FailErrno(errno, "cannot lock \"" + path + '"');
  }
  if (!IsStillNamed(fd->get())) return std::nullopt;
  return RunLock(id, path, *std::move(fd));
}

}  // namespace palyra::engine
