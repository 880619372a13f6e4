// Runs a command below palyra-run and says what came of it, its audit log included.

#ifndef PALYRA_TESTS_SUPPORT_PALYRA_RUN_H_
#define PALYRA_TESTS_SUPPORT_PALYRA_RUN_H_

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace palyra::tests {

// The unprivileged user of every run that does not ask for another.
inline constexpr std::string_view kToolUser = "1000";

// One denial of the audit log.
struct AuditEntry {
  std::string verdict;
  std::string action;
  std::string protocol;
  std::string address;
  int port = -1;
  std::string path;  // In place of those three, of what is no endpoint.
  std::string comm;
  std::vector<std::string> policies;
  std::string layer;  // Empty where no layer denied it.
  std::vector<std::string> names;
};

// The denials in that file, in order. A line that is no JSON object with these members is an
// entry whose verdict is "malformed: " and the line.
std::vector<AuditEntry> ReadAudit(const std::string& path);

// How a probe ended: the exit status, and the words of its last line of output.
struct ProbeResult {
  int exit_status = -1;
  std::string verdict;  // "allowed", "denied", "could-not-try", "other"; empty without a line.
  std::string error;    // "EPERM", "none".
  std::string detail;
  std::string raw;  // What both processes wrote, for messages.
  std::vector<AuditEntry> audit;

  // "denied EPERM", for comparisons that read well.
  [[nodiscard]] std::string Summary() const { return verdict + " " + error; }
};

std::ostream& operator<<(std::ostream& stream, const ProbeResult& result);

// Of a probe that ran below palyra-run; without an audit.
ProbeResult ParseProbe(const Ended& ended);

// palyra_probe with those arguments, outside any run: what the machine itself allows.
ProbeResult ProbeBare(const std::vector<std::string>& arguments);

// One palyra-run command line, in the tier guard where no other is asked for. Calls chain; files
// that it needs live as long as it does.
class PalyraRun {
 public:
  // Adds a policy file with that text. Without any call: no --policy at all.
  PalyraRun& Policy(std::string_view text);
  PalyraRun& Option(std::string option);
  PalyraRun& Option(std::string option, std::string value);
  // In place of kToolUser; empty: no --user.
  PalyraRun& User(std::string user);

  // The whole command line for `command`.
  [[nodiscard]] std::vector<std::string> CommandLine(const std::vector<std::string>& command) const;

  // Runs it to its end.
  [[nodiscard]] Ended Run(const std::vector<std::string>& command,
                          const SpawnOptions& options = {}) const;

  // Runs palyra_probe with those arguments.
  [[nodiscard]] ProbeResult Probe(const std::vector<std::string>& arguments,
                                  const SpawnOptions& options = {}) const;

  [[nodiscard]] std::vector<AuditEntry> Audit() const { return ReadAudit(AuditPath()); }
  [[nodiscard]] std::string AuditPath() const { return directory_.Path("audit.jsonl"); }

 private:
  TempDir directory_;
  std::string user_{kToolUser};
  std::vector<std::string> options_;
  int policies_ = 0;
};

}  // namespace palyra::tests

#endif  // PALYRA_TESTS_SUPPORT_PALYRA_RUN_H_
