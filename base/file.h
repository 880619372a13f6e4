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

}  // namespace palyra::base

#endif  // PALYRA_BASE_FILE_H_
