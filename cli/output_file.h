// Files that palyra-run writes because its command line names them.

#ifndef PALYRA_CLI_OUTPUT_FILE_H_
#define PALYRA_CLI_OUTPUT_FILE_H_

#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace palyra::cli {

// kKeep leaves what is in it to whoever writes, and takes a regular file only.
enum class OutputMode : uint8_t { kAppend, kReplace, kKeep };

// Opened by the rights of the user who called sudo. Made with mode 0600 where it is missing. Not
// through a symbolic link in any part of the path, nor into a pipe or a file with a second name:
// the tool may have made those.
Result<UniqueFd> OpenOutputFile(const std::string& path, OutputMode mode);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_OUTPUT_FILE_H_
