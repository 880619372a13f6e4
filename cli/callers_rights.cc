#include "cli/callers_rights.h"

#include <fmt/format.h>
#include <grp.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>

#include "base/accounts.h"

namespace palyra::cli {

Result<CallersRights> CallersRights::Take() {
  const char* const sudo_uid = std::getenv("SUDO_UID");
  if (geteuid() != 0 || sudo_uid == nullptr) return CallersRights();
  const std::optional<uint32_t> uid = base::ParseId(sudo_uid);
  if (!uid) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("SUDO_UID is \"{}\", no uid", sudo_uid));
  }
  const base::UserDatabase users;
  const std::optional<base::Account> account = users.Find(*uid);
  const gid_t gid = account ? account->gid : *uid;
  const std::vector<gid_t> groups = account ? users.GroupsOf(*account) : std::vector<gid_t>();
  CallersRights rights;
  rights.groups_.emplace(static_cast<size_t>(getgroups(0, nullptr)));
  if (getgroups(static_cast<int>(rights.groups_->size()), rights.groups_->data()) < 0 ||
      setgroups(groups.size(), groups.data()) != 0) {
    rights.groups_.reset();
    return FailErrno(errno, "cannot look for paths as the user who called sudo");
  }
  setfsgid(gid);
  setfsuid(*uid);
  return rights;
}

CallersRights::~CallersRights() {
  if (!groups_) return;
  setfsuid(geteuid());
  setfsgid(getegid());
  // Root may always; and with fewer groups it could only do less.
  (void)!setgroups(groups_->size(), groups_->data());
}

}  // namespace palyra::cli
