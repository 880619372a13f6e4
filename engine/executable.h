// The file that a command leads to: found before the run begins, so that what was judged is what is
// executed.

#ifndef PALYRA_ENGINE_EXECUTABLE_H_
#define PALYRA_ENGINE_EXECUTABLE_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/sha256.h"
#include "base/unique_fd.h"
#include "engine/tool_user.h"

namespace palyra::engine {

struct Executable {
  std::string path;       // As execve(2) is to be given it; may be relative.
  std::string real_path;  // Without links.
  UniqueFd fd;            // O_PATH
  dev_t device = 0;
  ino_t inode = 0;
};

// Where `command` is looked for: itself where it has a slash, else in each directory of PATH among
// NAME=VALUE strings. An empty element, which would mean the working directory, is left out.
std::vector<std::string> CandidatesFor(const std::string& command,
                                       const std::vector<std::string>& environment);

// The first candidate that is a regular file and that `user` may execute, by the rights of that
// user; relative ones begin at `directory`. Nothing where there is none. Single-threaded callers
// only.
Result<std::optional<Executable>> FindExecutable(const std::string& command,
                                                 const std::vector<std::string>& environment,
                                                 const ToolUser& user,
                                                 const std::string& directory);

// Of its bytes as they are now.
Result<base::Sha256Digest> DigestOf(const Executable& executable);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_EXECUTABLE_H_
