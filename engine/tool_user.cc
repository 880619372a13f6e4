#include "engine/tool_user.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "base/accounts.h"

namespace palyra::engine {
namespace {

using base::Account;
using base::ParseId;
using base::UserDatabase;

// Members may speak to the daemon; a tool never may.
constexpr const char* kCallerGroup = "palyra";

std::vector<gid_t> OwnGroups() {
  std::vector<gid_t> groups(static_cast<size_t>(std::max(getgroups(0, nullptr), 0)));
  const int count = getgroups(static_cast<int>(groups.size()), groups.data());
  groups.resize(static_cast<size_t>(std::max(count, 0)));
  return groups;
}

// The caller's own groups where it runs the tool as itself. None but its first where nobody can say
// which of them a tool must not have.
std::vector<gid_t> GroupsOf(const Account& account) {
  const UserDatabase users;
  std::vector<gid_t> groups = account.uid == getuid() ? OwnGroups() : users.GroupsOf(account);
  const auto is_other = [&account](gid_t each) { return each != account.gid; };
  if (std::ranges::any_of(groups, is_other)) {
    const Result<std::optional<gid_t>> callers = users.FindGroup(kCallerGroup);
    std::erase_if(groups,
                  [&](gid_t each) { return is_other(each) && (!callers || each == *callers); });
  }
  return groups;
}

ToolUser FromAccount(const Account& account) {
  return {.uid = account.uid,
          .gid = account.gid,
          .groups = GroupsOf(account),
          .name = account.name,
          .home = account.home,
          .shell = account.shell.empty() ? "/bin/sh" : account.shell,
          .chosen_by = {}};
}

ToolUser FromUid(uid_t uid, gid_t fallback_gid) {
  if (const std::optional<Account> account = UserDatabase().Find(uid)) return FromAccount(*account);
  return {.uid = uid,
          .gid = fallback_gid,
          .groups = {},
          .name = {},
          .home = "/",
          .shell = "/bin/sh",
          .chosen_by = {}};
}

Result<ToolUser> FromOption(const std::string& option) {
  const size_t colon = option.find(':');
  const std::optional<uint32_t> uid = ParseId(option.substr(0, colon));
  if (colon != std::string::npos) {
    const std::optional<uint32_t> gid = ParseId(option.substr(colon + 1));
    if (!uid || !gid) {
      return Fail(ErrorCode::kInvalidArgument,
                  "\"" + option + "\" is not a user; write a name, a uid, or UID:GID");
    }
    ToolUser user = FromUid(*uid, *gid);
    user.gid = *gid;
    user.groups = {*gid};
    return user;
  }
  if (uid) return FromUid(*uid, *uid);
  const std::optional<Account> account = UserDatabase().Find(option);
  if (!account) return Fail(ErrorCode::kNotFound, "no user \"" + option + '"');
  return FromAccount(*account);
}

}  // namespace

Result<ToolUser> ResolveToolUser(const ToolUserChoice& choice) {
  if (choice.option) {
    Result<ToolUser> user = FromOption(*choice.option);
    if (user) user->chosen_by = "--user";
    return user;
  }
  if (choice.sudo_uid) {
    const std::optional<uint32_t> uid = ParseId(*choice.sudo_uid);
    if (!uid) {
      return Fail(ErrorCode::kInvalidArgument,
                  "SUDO_UID is \"" + *choice.sudo_uid + "\", not a uid; name one with --user");
    }
    ToolUser user = FromUid(*uid, *uid);
    user.chosen_by = "SUDO_UID";
    return user;
  }
  struct stat status;
  if (stat(choice.working_directory.c_str(), &status) != 0) {
    return FailErrno(errno, "cannot stat the working directory \"" + choice.working_directory +
                                "\"; name the tool's user with --user");
  }
  ToolUser user = FromUid(status.st_uid, status.st_gid);
  user.chosen_by = "owner of the working directory";
  return user;
}

void AskFilesAs(uid_t uid, gid_t gid) {
  if (uid != 0) syscall(SYS_setfsgid, gid);
  syscall(SYS_setfsuid, uid);
  if (uid == 0) syscall(SYS_setfsgid, gid);
}

}  // namespace palyra::engine
