// A Landlock domain around a run (landlock(7)). Being in one is what counts: its processes cannot
// trace or inspect processes outside (every Landlock version), nor, where the kernel can scope
// them, signal those (ABI 6) or connect to their abstract unix sockets (ABI 6).

#ifndef PALYRA_ENGINE_LANDLOCK_H_
#define PALYRA_ENGINE_LANDLOCK_H_

#include <span>

#include "base/result.h"
#include "base/unique_fd.h"
#include "engine/file_view.h"

namespace palyra::engine {

// The kernel's Landlock ABI version, 0 where there is no Landlock.
int LandlockAbi();

// First ABI version that scopes signals and abstract unix sockets.
inline constexpr int kLandlockScopeAbi = 6;

// First ABI version that holds every change of a file: truncating.
inline constexpr int kLandlockFileAbi = 3;

// A ruleset for `abi` (at least 1) that isolates as above and restricts nothing else. Without
// `with_abstract_scope` abstract unix sockets outside are for others to judge.
Result<UniqueFd> MakeIsolationRuleset(int abi, bool with_abstract_scope = true);

// One for `abi` (at least kLandlockFileAbi) that isolates likewise, and holds every right on files
// but for what `grants` give. What a grant names is opened now, and not through a symbolic link;
// one that has gone gives nothing.
Result<UniqueFd> MakeFileRuleset(int abi, bool with_abstract_scope,
                                 std::span<const FileGrant> grants);

// In another root directory: what MakeIsolationRuleset lets files do, be moved between directories.
// 0 or errno.
int LetFilesMoveHere(int ruleset_fd, int abi);

// Adds grants to one that MakeFileRuleset has made without them: 0 or errno.
int AddGrants(int ruleset_fd, int abi, std::span<const FileGrant> grants);

// Between fork and exec: enters the domain; no_new_privs is set. 0 or errno.
int EnterLandlockDomain(int ruleset_fd);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_LANDLOCK_H_
