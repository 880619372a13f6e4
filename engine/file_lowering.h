// Rules about files and programs, lowered to a view of the file system (file_view.h): exact, or
// refused.
//
// Exact means, of every path that is there and every name that the run can make: it can be read,
// listed, written, truncated, made, removed, renamed, linked, executed and mapped executable, and
// its mode, owner, times and extended attributes changed, where the rules permit it, and nowhere
// else. With these differences, all but the last two of them denials:
//   - A place that has a mount of its own cannot be removed, renamed, linked or replaced, nor can a
//     directory on the way to it below a directory whose names the run may change (EBUSY, EXDEV).
//   - The name of a directory that rules permit everything below, but not beside, likewise.
//   - What others make during the run where the run makes nothing has the rights that its directory
//     gives, or none.
//   - Looking at metadata, walking through a directory, and reading symbolic links are not held.
//   - A hard link from before the run is another path to the same file.
//
// An ask counts as a deny.

#ifndef PALYRA_ENGINE_FILE_LOWERING_H_
#define PALYRA_ENGINE_FILE_LOWERING_H_

#include <cstddef>

#include "base/result.h"
#include "engine/file_tree.h"
#include "engine/file_view.h"
#include "policy/rule_set.h"

namespace palyra::engine {

// What may go unheld, because whoever starts the run says so.
struct UnheldFiles {
  bool attributes = false;  // Changing attributes is denied only where every change is.
  bool names = false;       // Renaming and linking follow making and removing.
  // Patterns hold for what is there as the run begins; and for what is not, right below the
  // directories where changes begin to be permitted and in those that a pattern names.
  bool patterns = false;
  bool digests = false;  // Programs are judged without their digest.
  // Of permits for what is not there yet: it stays as it is around it. Denies more than rules do.
  bool missing = false;
};

struct LoweringLimits {
  size_t entries = 20'000;  // Looked at in all.
  size_t grants = 4'000;
  size_t mounts = 1'000;
  size_t names = 256;  // That rules tell apart in one directory.
};

// kRefused, with a code, the path, the policies and what to write instead:
//   FILE-ATTRIBUTES  writing without changing attributes: only a read-only mount denies the latter
//   FILE-DIGEST      programs that are told apart by digest
//   FILE-EXEC        executing what cannot be read
//   FILE-LINK        making names without linking, or the other way round
//   FILE-LIST        a directory that is not judged as what is in it
//   FILE-MISSING     a permit for what is not there yet
//   FILE-NAMES       changing one name in a directory whose other names cannot be changed
//   FILE-NESTED      a part denied below a directory where that cannot be taken away alone
//   FILE-PATTERN     names that may come into being anywhere in a directory that can be written
//   FILE-RENAME      renaming without making and removing names, or the other way round
//   FILE-SIZE        more to look at, to grant or to mount than the limits
//   FILE-SYMLINK     a symbolic link where a protected name would be, or that is forbidden itself
Result<FileView> LowerFiles(const policy::RuleSet& rules, const FileTree& tree,
                            const UnheldFiles& unheld = {}, const LoweringLimits& limits = {});

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_FILE_LOWERING_H_
