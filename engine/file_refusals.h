// What rules permit of files, and what Landlock and mounts cannot say of it: the refusals of
// file_lowering.h that look at one place alone.

#ifndef PALYRA_ENGINE_FILE_REFUSALS_H_
#define PALYRA_ENGINE_FILE_REFUSALS_H_

#include <string>

#include "base/result.h"
#include "engine/file_view.h"
#include "policy/path_states.h"

namespace palyra::engine {

inline constexpr policy::FileActions kRead = policy::ActionBit(policy::NameAction::kFileRead);
inline constexpr policy::FileActions kWrite = policy::ActionBit(policy::NameAction::kFileWrite);
inline constexpr policy::FileActions kCreate = policy::ActionBit(policy::NameAction::kFileCreate);
inline constexpr policy::FileActions kRemove = policy::ActionBit(policy::NameAction::kFileRemove);
inline constexpr policy::FileActions kRename = policy::ActionBit(policy::NameAction::kFileRename);
inline constexpr policy::FileActions kLink = policy::ActionBit(policy::NameAction::kFileLink);
inline constexpr policy::FileActions kAttributes =
    policy::ActionBit(policy::NameAction::kFileAttributes);
inline constexpr policy::FileActions kExec = policy::ActionBit(policy::NameAction::kProcessExec);
inline constexpr policy::FileActions kOnNames = kCreate | kRemove | kRename | kLink;
inline constexpr policy::FileActions kChanges = kWrite | kOnNames | kAttributes;
inline constexpr FileRights kChangeRights =
    kWriteRight | kTruncateRight | kRemoveRights | kMakeRights | kReferRight;

// Whether all that is wanted is in the set, and whether any is.
inline bool All(policy::FileActions set, policy::FileActions wanted) {
  return (set & wanted) == wanted;
}
inline bool Any(policy::FileActions set, policy::FileActions wanted) { return (set & wanted) != 0; }

inline policy::FileActions Without(policy::FileActions actions, policy::FileActions others) {
  return static_cast<policy::FileActions>(actions & ~others);
}

// The rights of Landlock that those actions take.
FileRights RightsFor(policy::FileActions permitted);

// Whether a mount takes away what is granted around a place and must not hold there.
bool CanTakeAway(FileRights extra, bool read_only, bool no_exec);

// A path, and what the rules say of it and of everything below it.
struct FilePlace {
  std::string path;
  policy::PathStates::State own;
  policy::PathStates::State below;
};

struct FileRefusal {
  const std::string& code;
  const std::string& path;
  const policy::PathStates::State& state;
  policy::FileActions actions;  // Of which the first one with policies behind it is named.
};

// kRefused: code, path, what cannot be held, whose policies want it, and what to write instead.
std::unexpected<Error> RefuseFiles(const policy::PathStates& states, const FileRefusal& refusal,
                                   const std::string& what, const std::string& hint);

// What no combination of rights and mounts says: FILE-ATTRIBUTES, FILE-RENAME, FILE-LINK,
// FILE-EXEC.
Result<void> CheckCombination(const policy::PathStates& states, const FilePlace& place,
                              policy::FileActions permitted, bool is_special);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_FILE_REFUSALS_H_
