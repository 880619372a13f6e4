// Paths that a caller names, as the kernel resolves them.

#ifndef PALYRA_CLI_REAL_PATH_H_
#define PALYRA_CLI_REAL_PATH_H_

#include <string>

#include "base/result.h"

namespace palyra::cli {

// `path`, which may be relative to the working directory, with every symbolic link followed. What
// is not there yet stays as it is written. By the rights of who called: under sudo those of the
// user who did (SUDO_UID), so that nobody learns by it what is where they cannot look.
// kInvalidArgument: an empty path, one on from what is not there by "..", and a symbolic link to
// nothing. Single-threaded callers only.
Result<std::string> RealPath(const std::string& path);

// The same of a directory that is there. kNotFound; kInvalidArgument where it is none.
Result<std::string> RealDirectory(const std::string& path);

// Makes it the working directory, by the same rights.
Result<void> ChangeDirectory(const std::string& path);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_REAL_PATH_H_
