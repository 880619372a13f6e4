// A child process of a test: its three streams, its end, and never a wait without a bound.

#ifndef PALYRA_TESTS_SUPPORT_SUBPROCESS_H_
#define PALYRA_TESTS_SUPPORT_SUBPROCESS_H_

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"

namespace palyra::tests {

// Long enough for an emulated processor; a test that works never waits for it.
inline constexpr std::chrono::seconds kPatience{60};

// Polls until `condition` holds; false when patience ends.
bool Eventually(const std::function<bool()>& condition);

// The path of a program that was built beside this test binary.
std::string BinaryPath(std::string_view name);

struct SpawnOptions {
  std::string input;                                    // All of stdin.
  std::optional<std::vector<std::string>> environment;  // Else inherited.
  std::string directory;                                // Else inherited.
  std::vector<int> inherited;                           // Descriptors without close-on-exec.
  // Runs in the child before exec; 0 or an exit status. Async-signal-safe calls only.
  std::function<int()> in_child;
  // A pseudo-terminal as stdin, stdout and stderr and as controlling terminal, in place of pipes.
  // What it prints is Ended::output.
  bool terminal = false;
};

struct Ended {
  int status = -1;        // The exit status, or 128+n for signal n as a shell says it.
  bool signaled = false;  // Killed by a signal, not exited with 128+n.
  bool timed_out = false;
  std::string output;
  std::string error_output;
};

// What a failed expectation should print.
std::string Describe(const Ended& ended);

// Owns one child. The destructor kills it if it still runs.
class Subprocess {
 public:
  // `arguments[0]` is a path. Exit status 127 if exec fails.
  explicit Subprocess(const std::vector<std::string>& arguments, const SpawnOptions& options = {});
  Subprocess(const Subprocess&) = delete;
  Subprocess& operator=(const Subprocess&) = delete;
  ~Subprocess();

  [[nodiscard]] pid_t pid() const { return pid_; }

  // Collects output until it contains `text`; false at the child's end or the deadline.
  bool WaitForOutput(std::string_view text, std::chrono::milliseconds limit = kPatience);

  // Types into the terminal.
  void Type(std::string_view text) const;

  void Signal(int signal_number) const;

  // Collects output until the child has ended, then for as long as others hold the streams open,
  // at most `limit` in all; then kills what is left of the child itself.
  Ended Wait(std::chrono::milliseconds limit = kPatience);

 private:
  using Deadline = std::chrono::steady_clock::time_point;

  void StartChild(const std::vector<std::string>& arguments, const SpawnOptions& options, int input,
                  int output, int error);
  // Takes in what is there or comes until the deadline. False when nothing more can come.
  bool Collect(Deadline deadline);
  void Reap();

  pid_t pid_ = -1;
  UniqueFd pidfd_;
  UniqueFd output_;
  UniqueFd error_;
  Ended ended_;
  bool reaped_ = false;
};

// Runs a program to its end.
Ended RunProgram(const std::vector<std::string>& arguments, const SpawnOptions& options = {});

}  // namespace palyra::tests

#endif  // PALYRA_TESTS_SUPPORT_SUBPROCESS_H_
