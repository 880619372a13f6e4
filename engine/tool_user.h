// As whom a tool runs.

#ifndef PALYRA_ENGINE_TOOL_USER_H_
#define PALYRA_ENGINE_TOOL_USER_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace palyra::engine {

struct ToolUser {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // Supplementary, without group `palyra`.
  std::string name;           // Empty for a uid that the user database does not know.
  std::string home;           // Likewise "/".
  std::string shell;          // Likewise "/bin/sh".
  std::string chosen_by;      // "--user", "SUDO_UID", "owner of the working directory".
};

struct ToolUserChoice {
  std::optional<std::string> option;    // --user: a name, a uid, or UID:GID.
  std::optional<std::string> sudo_uid;  // $SUDO_UID.
  std::string working_directory;
};

// The option, else SUDO_UID, else the owner of the working directory, who may be root: then the
// tool is uid 0 without capabilities. kNotFound for a name that the user database does not know.
Result<ToolUser> ResolveToolUser(const ToolUserChoice& choice);

// As whom file systems are asked by this thread from now on (setfsuid(2)); with another uid than 0
// the capabilities about files are gone meanwhile. System calls only.
void AskFilesAs(uid_t uid, gid_t gid);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_TOOL_USER_H_
