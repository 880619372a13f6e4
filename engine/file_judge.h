// By what this machine holds rules about files and programs, and whether it can hold these.

#ifndef PALYRA_ENGINE_FILE_JUDGE_H_
#define PALYRA_ENGINE_FILE_JUDGE_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/features.h"
#include "engine/file_lowering.h"
#include "engine/file_view.h"
#include "engine/host.h"
#include "policy/rule_set.h"

namespace palyra::engine {

enum class FileJudge {
  kNone,      // Nothing: policies about files are refused.
  kLandlock,  // Landlock and mounts, as the run begins: file_view.h.
  kLsm,       // BPF LSM programs, call by call.
};

// Of a machine on which the programs are installed, or will be.
FileJudge FileJudgeOf(const Host& host, Features& features);

// Leaves in `rules` what the kernel's tables hold here. What they say of files, programs and
// processes is taken out where another mechanism holds it, or nothing does: rules of their own.
policy::RuleSet TakeRulesForViews(policy::RuleSet& rules);

// Promises that whoever starts a run may name as unheld, as refusals print them:
// file-attributes, file-names, file-patterns, file-links, program-digests, processes.
struct Unheld {
  UnheldFiles files;
  bool links = false;
  bool processes = false;
  std::vector<std::string> names;  // As they were given, for the report.
};

// Of "file-names,processes"; kInvalidArgument names what is none.
Result<void> AddUnheld(std::string_view list, Unheld& unheld);

// For machines without the LSM programs: what `rules` say of files and programs, lowered; nothing
// where they have no rules for them. kRefused with a code where they cannot be held: those of
// LowerFiles, FILE-KERNEL without Landlock, FILE-LINKED where a file that is forbidden by name has
// another hard link (linked_names.h), and PROCESS-SCOPE for rules on signals and tracing
// other than a Landlock domain's: everything in the run, nothing outside.
Result<std::optional<FileView>> LowerForLandlock(const policy::RuleSet& rules, Features& features,
                                                 const FileTree& tree, const Unheld& unheld);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_FILE_JUDGE_H_
