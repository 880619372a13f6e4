// The file of --audit: JSON lines, one object for the start of the run, one for each denial, or
// allow where these are asked for, and one for the end.

#ifndef PALYRA_CLI_AUDIT_LOG_H_
#define PALYRA_CLI_AUDIT_LOG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "cli/denials.h"
#include "cli/execution_check.h"
#include "cli/run_input.h"
#include "engine/events.h"
#include "engine/report.h"
#include "engine/run.h"
#include "engine/tool_user.h"
#include "policy/egress_mode.h"
#include "policy/rule_set.h"

namespace palyra::cli {

// A run as it begins.
struct RunStart {
  const engine::RunName& run;
  const RunFacts& facts;
  const engine::ToolUser& user;
  const std::string& command;
  policy::EgressEnforcementMode egress;
  const policy::RuleSet& rules;
  const std::vector<std::string>& unheld;
  const engine::EnforcementReport& report;
};

class AuditLog {
 public:
  static constexpr uint64_t kMostDenials = 100'000;
  static constexpr uint64_t kMostAllows = 100'000;
  static constexpr uint64_t kMostOfBrokers = 10'000;

  // Appends to `path` (cli/output_file.h).
  static Result<AuditLog> Open(const std::string& path);

  // {"event":"start","time","run","cgroup","agent","tool","tier","workspace","user":{"uid","gid",
  //  "name","chosen_by"},"command","egress","rules","unheld","promises"}: `command` without its
  //  arguments, `rules` the digest, `unheld` what whoever started it named, and PromisesJson().
  void WriteStart(const RunStart& start);
  // {"event":"refusal","time","verdict","action","agent","tool","layer","policies","unheld"} of a
  // run that the policies did not let begin.
  void WriteRefusal(const RunFacts& facts, const ExecutionRefusal& refusal,
                    const std::vector<std::string>& unheld);
  // {"event":"denial","time","cgroup","verdict","action","protocol","address","port","pid","comm",
  //  "policies","layer","names"?}. Each record is one write; a failure is remembered. A run that is
  //  denied
  // without end does not fill the disk: denials after the first kMostDenials are only counted.
  void Write(const palyra_event& event, const Denial& denial);
  // {"event":"denial","time","cgroup","verdict","action","path","executable","hook","pid","comm",
  //  "policies","layer","note"?}, likewise: of what has a path or a name.
  void Write(const engine::PathEvent& event, const Denial& denial);
  void WriteAllow(const engine::PathEvent& event, const Denial& allowed);
  // The first with the event and the verdict "allow" for what was allowed, up to kMostAllows.
  void WriteAllow(const palyra_event& event, const Denial& allowed);
  // The first without what only the kernel knows, and with the reason as "note": of the resolver,
  // with the action "resolve", or of the relay.
  void WriteOfBroker(const Denial& denial);
  // Likewise, that of WriteAllow: what the relay has verified.
  void WriteVerified(const Denial& allowed);
  // {"event":"end","time","run","egress","end","limit","status","denied","lost","left_out","audited",
  //  "lost_audited","left_out_audited"}: the limit that the run came to, or null; how many denials
  //  there were, without an event, and without
  // a record though there was an event; and the same of allows that were to be told.
  void WriteEnd(const engine::RunOutcome& outcome, int status,
                policy::EgressEnforcementMode egress);

  // The first write that failed.
  [[nodiscard]] const Result<void>& state() const { return state_; }

 private:
  explicit AuditLog(UniqueFd fd) : fd_(std::move(fd)) {}
  void WriteLine(const std::string& line);

  UniqueFd fd_;
  Result<void> state_;
  uint64_t denials_ = 0;
  uint64_t allows_ = 0;
  uint64_t of_brokers_ = 0;
};

}  // namespace palyra::cli

#endif  // PALYRA_CLI_AUDIT_LOG_H_
