// Files and directories that a run is started with, so that a protected name which does not exist
// yet cannot come into being: a mount needs something to be on. They can be seen outside. What is
// still as it was made goes when the run has ended; where its supervisor was killed, by the
// guardian, or the next sweep.
//
// Who removes a directory takes every mount on it away, in other runs too. So a run that finds
// another's placeholder to protect keeps it as its own, and the last one removes it.

#ifndef PALYRA_ENGINE_PLACEHOLDERS_H_
#define PALYRA_ENGINE_PLACEHOLDERS_H_

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/file_view.h"
#include "engine/tool_user.h"

namespace palyra::engine {

class Placeholders {
 public:
  // Makes those of the view, as that user where it may, and notes them under the run's id in
  // `runtime_directory`. On failure none is left. kUnavailable where something has come into being
  // there meanwhile.
  static Result<Placeholders> Make(const std::string& runtime_directory, const std::string& run_id,
                                   const FileView& view, const ToolUser& user);

  // Of runs that there are. To a new run they are what they are to those: not there, but made.
  static std::set<std::string> PathsThereAre(const std::string& runtime_directory);

  // When no process of the run is left. What is not empty, or is another's by now, stays.
  void Remove() const;

 private:
  Placeholders(std::string directory, std::string run_id)
      : directory_(std::move(directory)), run_id_(std::move(run_id)) {}

  std::string directory_;
  std::string run_id_;
};

// In a file system that ends with the run: nobody has to remove them.
Result<void> MakePlaceholdersInside(const std::vector<Placeholder>& placeholders,
                                    const ToolUser& user);

// Those of runs that nobody looks after any more.
void SweepPlaceholders(const std::string& runtime_directory);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_PLACEHOLDERS_H_
