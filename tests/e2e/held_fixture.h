// Runs whose calls wait, and what an operator sees of them.

#ifndef PALYRA_TESTS_E2E_HELD_FIXTURE_H_
#define PALYRA_TESTS_E2E_HELD_FIXTURE_H_

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/palyra_run.h"
#include "tests/support/subprocess.h"

namespace palyra::tests {

// permit … when CONDITION, of one action, which asks.
std::string AskWhen(std::string_view action, std::string_view condition);

// One line of `palyra held --json`.
struct HeldLine {
  std::string run;
  int call = 0;
  std::string event;
  pid_t pid = -1;
  std::vector<std::string> asking;  // The texts of @ask.
  std::vector<std::string> grant;   // The command lines, word by word.
  std::vector<std::string> refuse;
};

std::vector<HeldLine> HeldNow();

// Once so many wait; nothing where that never is.
std::vector<HeldLine> AwaitHeld(size_t count);

// Runs one of the command lines of a HeldLine; its exit status.
int Answer(const std::vector<std::string>& command);

// `probe` with those arguments below palyra-run, alive.
class HeldProbe {
 public:
  explicit HeldProbe(const PalyraRun& run, const std::vector<std::string>& arguments);

  // Its end.
  ProbeResult Wait();

  [[nodiscard]] Subprocess& supervisor() { return process_; }

 private:
  Subprocess process_;
};

}  // namespace palyra::tests

#endif  // PALYRA_TESTS_E2E_HELD_FIXTURE_H_
