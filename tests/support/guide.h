// Documents whose examples are tests: each command prints what stands below it.

#ifndef PALYRA_TESTS_SUPPORT_GUIDE_H_
#define PALYRA_TESTS_SUPPORT_GUIDE_H_

#include <functional>
#include <sstream>
#include <string>

#include "tests/support/temp_dir.h"

namespace palyra::tests {

// The blocks of a Markdown file that are fenced with a word: "cedar NAME" is a file to write,
// "console" has commands to run, each after "$ ".
class Guide {
 public:
  explicit Guide(const std::string& path);

  // What the command prints, run in that directory.
  using Printed = std::function<std::string(const std::string& command, const std::string&)>;

  // Fails the test where a command prints something else. Returns how many commands were run.
  int Run(const TempDir& directory, const Printed& printed);

 private:
  std::istringstream lines_;

  std::string Block();
  static int RunBlock(const std::string& block, const std::string& directory,
                      const Printed& printed);
};

}  // namespace palyra::tests

#endif  // PALYRA_TESTS_SUPPORT_GUIDE_H_
