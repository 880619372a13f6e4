// One sandboxed tool call, from a compiled policy to an exit status.

#ifndef PALYRA_ENGINE_RUN_H_
#define PALYRA_ENGINE_RUN_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/cell_view.h"
#include "engine/features.h"
#include "engine/file_view.h"
#include "engine/held_calls.h"
#include "engine/host.h"
#include "engine/kernel_objects.h"
#include "engine/live_run.h"
#include "engine/policy_watch.h"
#include "engine/renewal.h"
#include "engine/run_limits.h"
#include "engine/run_relay.h"
#include "engine/run_usage.h"
#include "engine/spawn.h"
#include "engine/tier.h"
#include "engine/tool_user.h"
#include "policy/rule_set.h"

namespace palyra::engine {

// Who answers the run's DNS, and who verifies connections, listening already.
struct BrokerService {
  BrokerPorts ports;         // On 127.0.0.1 and ::1, UDP and TCP.
  std::vector<int> sockets;  // All that listen there, none of anybody else. Borrowed.
  int resolver_fd = -1;      // Readable when `serve_resolver` has something to do.
  // Does not wait. False: there will be nothing to do any more.
  std::function<bool(RunNames&)> serve_resolver;
  std::vector<PinnedAddress> pins;  // Which the run knows from its start to its end.
  int relay_fd = -1;                // Likewise; -1 where there is no relay.
  std::function<bool(RunRelay&)> serve_relay;
  // Other rules are in force: before it returns, connections that they do not allow are closed.
  std::function<void(RunRelay&)> recheck_relay;
};

// How a run is known: to people, and in the kernel's events.
struct RunName {
  std::string id;
  uint64_t cgroup;
};

struct RunRequest {
  std::vector<std::string> argv;         // Not empty.
  std::vector<std::string> environment;  // NAME=VALUE, complete.
  // The file to execute, and no other that is there by then; without an inode: nothing, because
  // nothing was found. Absent: argv[0] is looked up in the environment's PATH.
  std::optional<KnownPath> executable = std::nullopt;
  ToolUser user;
  Tier tier = Tier::kGuard;
  policy::RuleSet rules;
  // What it sees of the host, where the tier is a cell.
  std::optional<CellView> cell = std::nullopt;
  // What the rules say of files, where no program judges them (file_judge.h).
  std::optional<FileView> file_view = std::nullopt;
  std::optional<std::chrono::milliseconds> timeout;  // Wall clock, from the start of the command.
  RunLimits limits = {};                             // NOLINT(readability-redundant-member-init)
  // Called before the command is started, when everything is ready for it. Null: nobody asks.
  std::function<void(const RunName&)> on_begin = nullptr;
  // Called for each denial, in order, in the calling thread. `rules` are those that it was judged
  // by, and `source` is what SourcedRules says of them, 0 for the first ones; null where another
  // process had put them in force.
  std::function<void(const palyra_event&, const policy::RuleSet* rules, size_t source)> on_denial;
  // The same for files, programs and processes.
  std::function<void(const PathEvent&, const policy::RuleSet* rules, size_t source)> on_path_denial;
  // The same for one in `audit_allows` of what was allowed, calls and beginnings of flows
  // (bpf/audit.h); 0: for none.
  std::function<void(const palyra_event&, const policy::RuleSet* rules, size_t source)> on_allow;
  // Likewise of unix sockets: each connect() of a stream and each datagram.
  std::function<void(const PathEvent&, const policy::RuleSet* rules, size_t source)> on_path_allow;
  uint32_t audit_allows = 0;
  bool measures_usage = false;  // RunOutcome::usage is asked for.
  // `rules` deny every action of the network, and nobody else may put others in force.
  bool is_offline = false;
  // Called, likewise, when rules have reached their end (RuleSet::valid_until_ms), and when `watch`
  // has seen a change: the ones that hold from now on. renewal.h says what holds until they are in
  // force, and after an error. Null: nobody has any.
  std::function<Result<SourcedRules>()> renew;
  // The rules that `renew` gave with that source are in force.
  std::function<void(size_t source)> on_renewed;
  // Of the operator's policies, begun before `rules` were made from them; borrowed. Null: they do
  // not change.
  const PolicyWatch* watch = nullptr;
  // Needed where `rules` speak of names of hosts, or verify. Borrowed; null: the run asks whom it
  // may reach.
  const BrokerService* brokers = nullptr;
  // Asked when rules were renewed, or could not be: whether the run ends, because what they deny of
  // files by now is held from the next run on. Null: never.
  std::function<bool()> must_end;
  // Where `rules` ask about calls that can wait for an answer, they do. Null: an ask is a deny.
  std::optional<HoldRequest> hold = std::nullopt;
  // Why rules could not be renewed.
  std::function<void(const Error&)> on_renewal_failure;
};

enum class RunEnd {
  kExited,         // exit_code
  kSignaled,       // signal
  kTimedOut,       // Everything was killed at the deadline.
  kRulesChanged,   // Likewise, because of RunRequest::must_end.
  kLimit,          // Likewise, because of RunOutcome::limit.
  kNotFound,       // The command does not exist; nothing ran.
  kNotExecutable,  // It cannot be executed (start_errno); nothing ran.
};

struct RunOutcome {
  std::string run_id;
  RunEnd end = RunEnd::kExited;
  int exit_code = 0;
  int signal = 0;
  int start_errno = 0;
  std::optional<LimitKind> limit = {};  // NOLINT(readability-redundant-member-init): come to.
  std::string limit_text = {};          // NOLINT(readability-redundant-member-init): "64 MiB".
  RunCounters counters;
  std::optional<RunUsage> usage;  // Where it was asked for, and something ran.
};

// Whether rules speak of names or verify, so that a run under them has a resolver; and whether they
// verify, so that it has a relay too.
bool NeedsBrokers(const policy::RuleSet& rules);
bool NeedsRelay(const policy::RuleSet& rules);

// Runs `request` in the calling process's terminal, working directory and standard streams, and
// returns when every process of the run is gone and nothing is left of it in the kernel. While it
// runs, SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1 and SIGUSR2 sent to this process go to the
// command; those that the terminal sends reach the command by themselves. When this process is
// killed, so is the run. An error means that the command did not start, or could not be ended.
//
// Single-threaded callers only, and one run at a time: signal masks are the process's.
Result<RunOutcome> RunConstrainedProcess(const Host& host, const KernelObjects& objects,
                                         Features& features, const RunRequest& request);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_RUN_H_
