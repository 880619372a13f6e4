#include "cli/run_files.h"

#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "cli/console.h"
#include "engine/file_tree.h"
#include "engine/linked_names.h"
#include "engine/placeholders.h"
#include "policy/compile/spoken_names.h"

namespace palyra::cli {
namespace {

constexpr const char* kProgram = "palyra-run";

}  // namespace

Result<policy::FileParts> DefaultsHere(const engine::Unheld& unheld) {
  // Only root can tell, and a run takes root.
  if (geteuid() != 0) return policy::FileParts::kLsm;
  engine::Features features;
  if (engine::FileJudgeOf(engine::Host(), features) == engine::FileJudge::kLsm) {
    return policy::FileParts::kLsm;
  }
  if (unheld.files.patterns) return policy::FileParts::kLandlock;
  return Fail(ErrorCode::kRefused,
              "FILE-DEFAULTS: --defaults forbids names at any depth, which takes BPF LSM: boot "
              "with lsm=…,bpf; or weaken the run by --unheld file-patterns, which leaves out names "
              "that come into being deeper in the workspace");
}

Result<engine::CellView> RunFiles::Show(const policy::RuleSet& judged,
                                        const engine::CellFacts& facts) const {
  const engine::RealFileTree tree;
  const bool is_lowered = FindRules(rules_, policy::NameAction::kFileRead) != nullptr;
  return engine::ViewOfCell(is_lowered ? rules_ : judged, tree, facts);
}

Result<std::optional<engine::FileView>> RunFiles::Lower(engine::Features& features,
                                                        const engine::Unheld& unheld,
                                                        const engine::CellView* cell) const {
  const engine::RealFileTree host(
      engine::Placeholders::PathsThereAre(engine::Host().runtime_directory));
  if (cell == nullptr) return engine::LowerForLandlock(rules_, features, host, unheld);
  const engine::CellTree tree(*cell, host);
  return engine::LowerForLandlock(rules_, features, tree, unheld);
}

std::vector<std::string> RunFiles::Unlinked(const policy::RuleSet& judged) const {
  std::vector<std::string> names = engine::FindLinkedFiles(rules_).left_out;
  std::ranges::move(engine::FindLinkedFiles(judged).left_out, std::back_inserter(names));
  return names;
}

void RunFiles::OnRules(const policy::RuleSet& rules) {
  const policy::FileChange change = policy::CompareFileRules(rules_, rules);
  if (change.is_tighter) {
    Tighten();
  } else if (change.is_looser) {
    SayWithoutWaiting(
        kProgram,
        "the policies permit more of files and programs than this run began with; the next run "
        "has it");
  }
}

void RunFiles::OnNoRules() {
  if (!rules_.names.empty()) Tighten();
}

void RunFiles::Tighten() {
  if (must_end_ || is_stale_) return;
  (marks_stale_ ? is_stale_ : must_end_) = true;
  SayWithoutWaiting(
      kProgram, marks_stale_
                    ? "the run is stale: the policies deny files or programs by now that it began "
                      "with, and without BPF LSM it keeps them"
                    : "the run ends: the policies deny files or programs by now that it began "
                      "with, and without BPF LSM it would keep them (--on-stale mark goes on)");
}

}  // namespace palyra::cli
