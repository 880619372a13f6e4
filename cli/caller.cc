#include "cli/caller.h"

#include <unistd.h>

#include <cstdlib>
#include <optional>

#include "base/accounts.h"

namespace palyra::cli {

uid_t CallerUid() {
  const char* const sudo_uid = std::getenv("SUDO_UID");
  const std::optional<uid_t> uid =
      sudo_uid == nullptr || geteuid() != 0 ? std::nullopt : base::ParseId(sudo_uid);
  return uid.value_or(getuid());
}

}  // namespace palyra::cli
