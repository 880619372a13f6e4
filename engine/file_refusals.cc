#include "engine/file_refusals.h"

#include <vector>

#include "policy/compile/named_resource.h"

namespace palyra::engine {

using policy::FileActions;
using policy::NameAction;

FileRights RightsFor(FileActions permitted) {
  FileRights rights = 0;
  if (Any(permitted, kRead)) rights |= kReadFileRight | kListRight;
  if (Any(permitted, kWrite)) rights |= kWriteRight | kTruncateRight;
  if (Any(permitted, kRead | kWrite)) rights |= kIoctlDeviceRight;
  if (Any(permitted, kCreate)) rights |= kMakeRights | kReferRight;
  if (Any(permitted, kRemove)) rights |= kRemoveRights;
  if (Any(permitted, kExec)) rights |= kExecuteRight;
  return rights;
}

bool CanTakeAway(FileRights extra, bool read_only, bool no_exec) {
  extra &= ~kIoctlDeviceRight;  // Of a device that was opened, which takes another right.
  if (read_only) extra &= ~kChangeRights;
  if (no_exec) extra &= ~kExecuteRight;
  return extra == 0;
}

std::unexpected<Error> RefuseFiles(const policy::PathStates& states, const FileRefusal& refusal,
                                   const std::string& what, const std::string& hint) {
  std::string message = refusal.code + ": \"" + refusal.path + "\": " + what;
  for (int i = 0; i < policy::kFileActionCount; ++i) {
    const auto action = static_cast<NameAction>(i);
    if (!Any(refusal.actions, policy::ActionBit(action))) continue;
    const std::vector<std::string> reasons = states.ReasonsBelow(refusal.state, action, 3);
    if (reasons.empty()) continue;
    message.append("; ").append(policy::ActionName(action));
    for (size_t j = 0; j < reasons.size(); ++j) {
      message.append(j == 0 ? " (" : "; ").append(reasons[j]);
    }
    message += ')';
    break;
  }
  return Fail(ErrorCode::kRefused, message.append("; ").append(hint));
}

Result<void> CheckCombination(const policy::PathStates& states, const FilePlace& place,
                              FileActions permitted, bool is_special) {
  const auto refuse = [&](const std::string& code, FileActions actions, const std::string& what,
                          const std::string& hint) -> Result<void> {
    return RefuseFiles(states,
                       {.code = code, .path = place.path, .state = place.own, .actions = actions},
                       what, hint);
  };
  const FileActions changes = is_special ? Without(kChanges, kWrite) : kChanges;
  if (Any(permitted, changes) && !Any(permitted, kAttributes)) {
    return refuse("FILE-ATTRIBUTES", kAttributes,
                  "changes are permitted and file.attributes is not, which without BPF LSM only "
                  "a read-only mount denies",
                  "permit file.attributes there too, as the group file.modify does");
  }
  if (Any(permitted, kRename) != All(permitted, kCreate | kRemove)) {
    return refuse("FILE-RENAME", kRename,
                  "to Landlock renaming is removing a name and making another",
                  "permit file.rename where file.create and file.remove are both permitted, and "
                  "there alone");
  }
  if (Any(permitted, kLink) != Any(permitted, kCreate)) {
    return refuse("FILE-LINK", kLink, "to Landlock linking is making a name",
                  "permit file.link where file.create is permitted, and there alone");
  }
  if (Any(permitted, kExec) && !Any(permitted, kRead)) {
    return refuse("FILE-EXEC", kRead, "to Landlock executing is reading too",
                  "permit file.read there too");
  }
  return {};
}

}  // namespace palyra::engine
