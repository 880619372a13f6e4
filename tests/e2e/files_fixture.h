// A tree of files, and attempts at it: bare, where each succeeds, and in a run.

#ifndef PALYRA_TESTS_E2E_FILES_FIXTURE_H_
#define PALYRA_TESTS_E2E_FILES_FIXTURE_H_

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "tests/support/palyra_run.h"
#include "tests/support/temp_dir.h"

namespace palyra::tests {

// What `palyra_probe try` is told, and what it should say in a run.
struct FileAttempt {
  std::vector<std::string> words;
  std::string expected = "EACCES";
  // Of an attempt that this kernel or file system does not know: what it says bare.
  std::string or_bare = "none";
};

// Owned by uid 1000:
//   ws/own, ws/own2, ws/keep   files ("o")
//   ws/d, ws/scratch           directories; what is done to the latter is not looked at
//   ws/secret/s                a file ("s")
//   ws/secretfoo               a file
//   ws/.git/config, ws/.git/hooks/
//   ws/bin/tool, ws/data/tool  programs
//   out/o, out/d/, out/readable, out/tool
class Files : public testing::Test {
 protected:
  void SetUp() override;

  [[nodiscard]] std::string Ws(const std::string& name) const { return tree() + "/ws/" + name; }
  [[nodiscard]] std::string Out(const std::string& name) const { return tree() + "/out/" + name; }
  [[nodiscard]] const std::string& tree() const { return directory_.path(); }

  // Everything in ws but for secret, and but changes of .git/hooks; programs of ws/bin and the
  // probe; signals within the run.
  [[nodiscard]] std::string Policy() const;

  void MakeTree() const;

  // Each succeeds bare, on a tree of its own; then all in one run under that policy, where each
  // says what is expected of it, and of the tree nothing is changed. What was denied is in the log.
  void ExpectHeld(const std::string& policy, const std::vector<FileAttempt>& attempts);

  // All succeed in one run; nothing is in the log.
  void ExpectAllowed(const std::string& policy, const std::vector<std::vector<std::string>>& all);

  // What the attempts say in one run, in their order: "NAME ERRNO".
  static std::vector<std::string> TryInRun(const PalyraRun& run,
                                           const std::vector<FileAttempt>& attempts,
                                           std::string& raw);

  // Of every name below out and ws, but for ws/scratch: what and how it is.
  [[nodiscard]] std::map<std::string, std::string> Snapshot() const;

 private:
  TempDir directory_;
};

// "try" and the attempts with a "," between them.
std::vector<std::string> TryArguments(const std::vector<FileAttempt>& attempts);

std::vector<std::string> Lines(const std::string& text);

// Each line is what its attempt was to say; `raw` is for messages.
void ExpectAnswers(const std::vector<std::string>& lines, const std::vector<FileAttempt>& attempts,
                   const std::string& raw);

}  // namespace palyra::tests

#endif  // PALYRA_TESTS_E2E_FILES_FIXTURE_H_
