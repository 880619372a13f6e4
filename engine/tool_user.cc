#include "engine/tool_user.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <string_view>

namespace palyra::engine {
namespace {

// Members may speak to the daemon; a tool never may.
constexpr const char* kCallerGroup = "palyra";

std::optional<uint32_t> ParseId(std::string_view text) {
  uint32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  // The all-ones id means "unchanged" to the kernel.
  if (error != std::errc() || end != text.data() + text.size() || id == UINT32_MAX) {
    return std::nullopt;
  }
  return id;
}

std::vector<gid_t> OwnGroups() {
  std::vector<gid_t> groups(static_cast<size_t>(std::max(getgroups(0, nullptr), 0)));
  const int count = getgroups(static_cast<int>(groups.size()), groups.data());
  groups.resize(static_cast<size_t>(std::max(count, 0)));
  return groups;
}

std::vector<gid_t> GroupsInDatabase(const std::string& name, gid_t gid) {
  int count = 64;
  std::vector<gid_t> groups(static_cast<size_t>(count));
  if (getgrouplist(name.c_str(), gid, groups.data(), &count) < 0) {
    groups.resize(static_cast<size_t>(count));
    if (getgrouplist(name.c_str(), gid, groups.data(), &count) < 0) return {};
  }
  groups.resize(static_cast<size_t>(count));
  return groups;
}

// The caller's own groups where it runs the tool as itself. They are also the cheap answer: asking
// the user database may mean asking a daemon.
std::vector<gid_t> GroupsOf(const passwd& entry) {
  const std::string name = entry.pw_name;
  const gid_t gid = entry.pw_gid;
  std::vector<gid_t> groups = entry.pw_uid == getuid() ? OwnGroups() : GroupsInDatabase(name, gid);
  std::erase_if(groups, [gid](gid_t each) {
    if (each == gid) return false;
    const group* known = getgrgid(each);
    return known != nullptr && std::string_view(known->gr_name) == kCallerGroup;
  });
  return groups;
}

ToolUser FromPasswd(const passwd& entry) {
  ToolUser user = {.uid = entry.pw_uid,
                   .gid = entry.pw_gid,
                   .groups = {},
                   .name = entry.pw_name,
                   .home = entry.pw_dir,
                   .shell = entry.pw_shell[0] != '\0' ? entry.pw_shell : "/bin/sh",
                   .chosen_by = {}};
  user.groups = GroupsOf(entry);
  return user;
}

ToolUser FromUid(uid_t uid, gid_t fallback_gid) {
  if (const passwd* entry = getpwuid(uid); entry != nullptr) return FromPasswd(*entry);
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
  const passwd* entry = getpwnam(option.c_str());
  if (entry == nullptr) return Fail(ErrorCode::kNotFound, "no user \"" + option + '"');
  return FromPasswd(*entry);
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

}  // namespace palyra::engine
