// Small files, read and written whole.

#ifndef PALYRA_BASE_FILE_H_
#define PALYRA_BASE_FILE_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace palyra::base {

// open(2) with O_CLOEXEC, retried on EINTR; the error names `path`.
Result<UniqueFd> OpenFile(const std::string& path, int flags, unsigned mode = 0);

// Reads `fd` from its position to the end; more than `max_bytes` is kInvalidArgument. `name` is
// only for the message.
Result<std::string> ReadAll(int fd, size_t max_bytes, std::string_view name);

// Opens and reads `path`. `max_bytes` bounds memory; the default suits policies and entities.
Result<std::string> ReadFile(const std::string& path, size_t max_bytes = size_t{64} << 20);

// Writes all of `data` to `fd`, retried on EINTR and short writes.
Result<void> WriteAll(int fd, std::string_view data, std::string_view name);

// Puts `data` in place of the file `name` of the directory `path`, whole or not at all, whatever
// fails and whoever dies: written beside it as "NAME.new", synced, renamed. Once it returns, a loss
// of power does not undo it. One caller at a time for a name.
Result<void> ReplaceFile(const std::string& path, const std::string& name, std::string_view data,
                         unsigned mode = 0644);

// Makes the directory and those above it where they are missing, with mode 0755, and syncs each.
Result<void> MakeDirectories(const std::string& path);

}  // namespace palyra::base

#endif  // PALYRA_BASE_FILE_H_
