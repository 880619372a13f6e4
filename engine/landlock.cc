#include "engine/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>

#include "engine/file_tree.h"

namespace palyra::engine {
namespace {

// landlock_ruleset_attr as of ABI 6; the kernel takes a shorter one from older callers.
struct RulesetAttributes {
  uint64_t handled_access_fs;
  uint64_t handled_access_net;
  uint64_t scoped;
};

constexpr uint64_t kScopeAbstractUnixSocket = 1U << 0;
constexpr uint64_t kScopeSignal = 1U << 1;

// First ABI version that knows of moving files to other directories.
constexpr int kLandlockReferAbi = 2;

// A domain that holds any right on files holds this one too, unless a rule gives it.
Result<void> LetFilesMove(int ruleset) {
  const UniqueFd root(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return FailErrno(errno, "cannot open \"/\"");
  landlock_path_beneath_attr rule = {};
  rule.allowed_access = LANDLOCK_ACCESS_FS_REFER;
  rule.parent_fd = root.get();
  if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0) return {};
  return FailErrno(errno, "cannot add a rule to a Landlock ruleset");
}

// First ABI version that holds ioctl() on devices.
constexpr int kLandlockDeviceAbi = 5;

FileRights HandledFileRights(int abi) {
  return abi >= kLandlockDeviceAbi ? kAllRights : kAllRights & ~kIoctlDeviceRight;
}

Result<UniqueFd> MakeRuleset(int abi, bool with_abstract_scope, FileRights handled) {
  RulesetAttributes attributes = {};
  attributes.handled_access_fs = handled;
  size_t size = sizeof(attributes.handled_access_fs);
  if (abi >= kLandlockScopeAbi) {
    attributes.scoped = kScopeSignal | (with_abstract_scope ? kScopeAbstractUnixSocket : 0);
    size = sizeof(attributes);
  }
  const long fd = syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
  if (fd < 0) return FailErrno(errno, "cannot make a Landlock ruleset");
  return UniqueFd(static_cast<int>(fd));
}

Result<void> AddGrant(int ruleset, const FileGrant& grant, FileRights handled) {
  const UniqueFd fd(OpenPathWithoutLinks(grant.path.c_str()));
  struct stat status;
  if (!fd.valid() || fstat(fd.get(), &status) != 0) {
    const int failure = errno;
    // It has gone, or is another user's alone.
    if (failure == ENOENT || failure == ENOTDIR || failure == ELOOP || failure == EACCES) return {};
    return FailErrno(failure, "cannot open \"" + grant.path + "\" to grant it");
  }
  if (S_ISDIR(status.st_mode) != grant.is_directory) {
    return Fail(ErrorCode::kUnavailable,
                "\"" + grant.path + "\" was replaced as the run began; start it again");
  }
  landlock_path_beneath_attr rule = {};
  rule.allowed_access = grant.rights & handled;
  rule.parent_fd = fd.get();
  if (rule.allowed_access == 0) return {};
  if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0) return {};
  return FailErrno(errno, "cannot grant \"" + grant.path + '"');
}

}  // namespace

int LandlockAbi() {
  const long abi =
      syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return abi < 0 ? 0 : static_cast<int>(abi);
}

Result<UniqueFd> MakeIsolationRuleset(int abi, bool with_abstract_scope) {
  // A ruleset must handle something: making block devices, which needs a capability anyway.
  FileRights handled = abi >= kLandlockScopeAbi ? 0 : LANDLOCK_ACCESS_FS_MAKE_BLOCK;
  if (handled != 0 && abi >= kLandlockReferAbi) handled |= LANDLOCK_ACCESS_FS_REFER;
  Result<UniqueFd> ruleset = MakeRuleset(abi, with_abstract_scope, handled);
  if (!ruleset || (handled & LANDLOCK_ACCESS_FS_REFER) == 0) return ruleset;
  if (Result<void> moves = LetFilesMove(ruleset->get()); !moves) {
    return std::unexpected(moves.error());
  }
  return ruleset;
}

Result<UniqueFd> MakeFileRuleset(int abi, bool with_abstract_scope,
                                 std::span<const FileGrant> grants) {
  const FileRights handled = HandledFileRights(abi);
  Result<UniqueFd> ruleset = MakeRuleset(abi, with_abstract_scope, handled);
  if (!ruleset) return ruleset;
  for (const FileGrant& grant : grants) {
    Result<void> added = AddGrant(ruleset->get(), grant, handled);
    if (!added) return std::unexpected(added.error());
  }
  return ruleset;
}

int LetFilesMoveHere(int ruleset_fd, int abi) {
  // Later ones hold no right on files for it.
  if (abi < kLandlockReferAbi || abi >= kLandlockScopeAbi) return 0;
  const Result<void> moves = LetFilesMove(ruleset_fd);
  return moves ? 0 : moves.error().system_errno;
}

int AddGrants(int ruleset_fd, int abi, std::span<const FileGrant> grants) {
  for (const FileGrant& grant : grants) {
    const Result<void> added = AddGrant(ruleset_fd, grant, HandledFileRights(abi));
    if (!added) return added.error().system_errno != 0 ? added.error().system_errno : ESTALE;
  }
  return 0;
}

int EnterLandlockDomain(int ruleset_fd) {
  return syscall(SYS_landlock_restrict_self, ruleset_fd, 0) == 0 ? 0 : errno;
}

}  // namespace palyra::engine
