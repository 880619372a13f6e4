// What the policies of a run say of files and programs, where that is held as the run begins
// (engine/file_judge.h), and what becomes of the run when they say something else later.

#ifndef PALYRA_CLI_RUN_FILES_H_
#define PALYRA_CLI_RUN_FILES_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/cell_view.h"
#include "engine/features.h"
#include "engine/file_judge.h"
#include "engine/file_view.h"
#include "policy/mandatory.h"
#include "policy/rule_set.h"

namespace palyra::cli {

// What is built in about files, as far as this machine holds it. kRefused where that is not all and
// the user has not said that it need not be.
Result<policy::FileParts> DefaultsHere(const engine::Unheld& unheld);

class RunFiles {
 public:
  // `marks_stale`: a run whose rules were tightened goes on, and it is said that it is stale.
  RunFiles(policy::RuleSet rules, bool marks_stale)
      : rules_(std::move(rules)), marks_stale_(marks_stale) {}

  // What a cell shows of the host under these rules, or under `judged` where programs judge files.
  // Needs root, as the following.
  [[nodiscard]] Result<engine::CellView> Show(const policy::RuleSet& judged,
                                              const engine::CellFacts& facts) const;

  // How the run will see files, from what is there now, on the host or in a cell; nothing where no
  // policy speaks of them.
  [[nodiscard]] Result<std::optional<engine::FileView>> Lower(engine::Features& features,
                                                              const engine::Unheld& unheld,
                                                              const engine::CellView* cell) const;

  // Of what they forbid by name, what may have hard links that nobody knows of (linked_names.h).
  [[nodiscard]] std::vector<std::string> Unlinked(const policy::RuleSet& judged) const;

  // The policies have changed to these rules; says what that means for the run.
  void OnRules(const policy::RuleSet& rules);
  // They have changed to something that cannot be compiled.
  void OnNoRules();

  // What was allowed to the run is denied by now, and it has to end.
  [[nodiscard]] bool must_end() const { return must_end_; }

 private:
  void Tighten();

  policy::RuleSet rules_;
  bool marks_stale_;
  bool is_stale_ = false;
  bool must_end_ = false;
};

}  // namespace palyra::cli

#endif  // PALYRA_CLI_RUN_FILES_H_
