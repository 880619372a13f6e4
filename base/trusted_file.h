// Files that nobody but root, or the caller itself, can have changed.
//
// Whoever can write a directory can replace what is in it. So every directory on the way counts,
// through symbolic links too: each belongs to root or to the caller (geteuid), and no group and
// nobody else may write it, but for directories like /tmp in which only the owner of a file
// replaces it (the sticky bit, inode(7)).

#ifndef PALYRA_BASE_TRUSTED_FILE_H_
#define PALYRA_BASE_TRUSTED_FILE_H_

#include <cstddef>
#include <string>

#include "base/result.h"

namespace palyra::base {

// The file or directory `path` is one of those. kPermissionDenied names what is not, and says how
// to mend it.
Result<void> RequireTrusted(const std::string& path);

// Reads a regular file that is.
Result<std::string> ReadTrustedFile(const std::string& path, size_t max_bytes = size_t{64} << 20);

}  // namespace palyra::base

#endif  // PALYRA_BASE_TRUSTED_FILE_H_
