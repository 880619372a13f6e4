// Files are asked for as the user who called sudo.

#ifndef PALYRA_CLI_CALLERS_RIGHTS_H_
#define PALYRA_CLI_CALLERS_RIGHTS_H_

#include <sys/types.h>

#include <optional>
#include <utility>
#include <vector>

#include "base/result.h"

namespace palyra::cli {

// The user who called sudo (SUDO_UID), as whom the file system is asked for as long as this lives.
// With another uid than 0 the capabilities about files are gone meanwhile. Without sudo it does
// nothing. Of this thread alone.
class CallersRights {
 public:
  static Result<CallersRights> Take();

  CallersRights(CallersRights&& other) noexcept : groups_(std::exchange(other.groups_, {})) {}
  CallersRights& operator=(CallersRights&&) = delete;
  ~CallersRights();

 private:
  CallersRights() = default;

  std::optional<std::vector<gid_t>> groups_;  // Which come back; nothing where nothing was taken.
};

}  // namespace palyra::cli

#endif  // PALYRA_CLI_CALLERS_RIGHTS_H_
