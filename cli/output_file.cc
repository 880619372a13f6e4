#include "cli/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "cli/callers_rights.h"

namespace palyra::cli {

Result<UniqueFd> OpenOutputFile(const std::string& path, OutputMode mode) {
  open_how how = {};
  how.flags = O_WRONLY | O_CREAT | O_NOCTTY | O_NONBLOCK | O_CLOEXEC |
              (mode == OutputMode::kAppend ? O_APPEND : 0);
  how.mode = 0600;
  how.resolve = RESOLVE_NO_SYMLINKS;
  const Result<CallersRights> rights = CallersRights::Take();
  if (!rights) return std::unexpected(rights.error());
  UniqueFd fd(static_cast<int>(syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof(how))));
  if (!fd.valid()) {
    const std::string advice = errno == ELOOP ? " (no part of it may be a symbolic link)" : "";
    return FailErrno(errno, fmt::format("cannot open \"{}\"{}", path, advice));
  }
  struct stat status;
  if (fstat(fd.get(), &status) != 0) {
    return FailErrno(errno, fmt::format("cannot stat \"{}\"", path));
  }
  if (!S_ISREG(status.st_mode) && !S_ISCHR(status.st_mode)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("\"{}\" is neither a file nor a device; name a file", path));
  }
  if (mode == OutputMode::kKeep && !S_ISREG(status.st_mode)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("\"{}\" is no regular file; name one", path));
  }
  if (S_ISREG(status.st_mode) && status.st_nlink != 1) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("\"{}\" has more than one name; name a file of its own", path));
  }
  // Only now that it is known to be the file that was meant.
  if (mode == OutputMode::kReplace && S_ISREG(status.st_mode) && ftruncate(fd.get(), 0) != 0) {
    return FailErrno(errno, fmt::format("cannot empty \"{}\"", path));
  }
  return fd;
}

}  // namespace palyra::cli
