#include "engine/run.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <filesystem>
#include <iterator>
#include <map>
#include <span>
#include <utility>

#include "engine/file_programs.h"
#include "engine/guardian.h"
#include "engine/landlock.h"
#include "engine/limit_supervision.h"
#include "engine/placeholders.h"
#include "engine/seccomp_filter.h"
#include "engine/supervisor.h"
#include "engine/unix_places.h"
#include "policy/named_class.h"

namespace palyra::engine {
namespace {

// The ring holds far fewer; a bound, so that a run that is denied without end cannot hold up its
// end.
constexpr int kEventsAtEnd = 1 << 16;

// An io_uring, a pidfd, a BPF map and their like: kernel objects that are no file anywhere.
bool IsKernelObject(int fd) {
  std::error_code failure;
  const auto name =
      std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), failure).string();
  return name.starts_with("anon_inode:");
}

// A unix socket that sends to nobody else any more: it is connected, and no datagram names another
// peer; or it listens, and cannot connect.
bool IsBoundToItsPeer(int fd) {
  int type = 0;
  socklen_t size = sizeof(type);
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type == SOCK_DGRAM) return false;
  int listens = 0;
  size = sizeof(listens);
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens != 0) return true;
  sockaddr_storage peer;
  size = sizeof(peer);
  return getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
}

// A socket was born outside the run: no policy would hold to whom it is connected or sends. A
// directory leads into the mounts outside, where cgroups can be written. And a kernel object acts
// for who made it: the thread of an io_uring makes connections that are not the run's.
Result<void> RefuseUnholdableStreams() {
  constexpr const char* kNames[] = {"standard input", "standard output", "standard error"};
  for (int fd = 0; fd <= 2; ++fd) {
    struct stat status;
    if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
      return Fail(ErrorCode::kRefused,
                  std::string(kNames[fd]) + " is a directory, which leads out of the sandbox");
    }
    if (IsKernelObject(fd)) {
      return Fail(ErrorCode::kRefused, std::string(kNames[fd]) +
                                           " is a kernel object that acts for who made it; pass "
                                           "a file, a pipe or a terminal");
    }
    int family = 0;
    socklen_t size = sizeof(family);
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) != 0) continue;
    if (family == AF_UNIX && IsBoundToItsPeer(fd)) continue;
    if (family == AF_UNIX) {
      return Fail(
          ErrorCode::kRefused,
          std::string(kNames[fd]) +
              " is a unix socket that can still reach others than its peer, which no policy "
              "would hold; pass it through a pipe");
    }
    return Fail(ErrorCode::kRefused,
                std::string(kNames[fd]) +
                    " is a network socket, which no policy would hold; pass it through a pipe");
  }
  return {};
}

template <typename Predicate>
std::vector<Placeholder> PlaceholdersOf(const FileView& view, Predicate is_wanted) {
  std::vector<Placeholder> wanted;
  std::ranges::copy_if(view.placeholders, std::back_inserter(wanted), is_wanted,
                       &Placeholder::path);
  return wanted;
}

Result<CellRoot> PrepareRoot(const Host& host, const RunRequest& request) {
  if (!request.cell) {
    return Fail(ErrorCode::kInternal, "a cell without anything in it");
  }
  std::optional<uint64_t> most = request.limits.disk;
  if (request.limits.memory) most = std::min(*request.limits.memory, most.value_or(UINT64_MAX));
  Result<CellRoot> root = PrepareCellRoot(*request.cell, host.runtime_directory, most);
  if (!root || !request.file_view) return root;
  root->grants = request.file_view->grants;
  root->placeholders = PlaceholdersOf(
      *request.file_view, [&](const std::string& path) { return !request.cell->IsOfHost(path); });
  return root;
}

// The run's own view of files, where no program judges them.
Result<FileMounts> PrepareMounts(const Host& host, const RunRequest& request) {
  if (!request.cell) return PrepareFileMounts(*request.file_view, host.runtime_directory);
  return PrepareFileMounts(*request.file_view, host.runtime_directory,
                           [&](const std::string& path) { return request.cell->IsOfHost(path); });
}

// In a cell grants wait until its root directory is there.
Result<UniqueFd> MakeRuleset(const RunRequest& request, bool with_abstract_scope) {
  if (!request.file_view) return MakeIsolationRuleset(LandlockAbi(), with_abstract_scope);
  return MakeFileRuleset(
      LandlockAbi(), with_abstract_scope,
      request.cell ? std::span<const FileGrant>() : std::span(request.file_view->grants));
}

Result<SpawnRequest> PrepareSpawn(const Host& host, const KernelObjects& objects,
                                  const RunRequest& request, const UnixSetup& unix_setup,
                                  Features& features, UniqueFd& landlock) {
  SpawnRequest spawn;
  spawn.tier = request.tier;
  spawn.argv = request.argv;
  spawn.environment = request.environment;
  spawn.executable = request.executable;
  spawn.user = request.user;
  spawn.control_mounts = host.control_mounts;
  spawn.control_directories = host.control_directories;
  spawn.hidden_directory = host.state_directory;
  spawn.mask = MaskIn(host.runtime_directory, /*is_directory=*/true);
  if (Result<void> made = MakeMasks(host.runtime_directory); !made) {
    return std::unexpected(made.error());
  }
  if (objects.unix_judge() == UnixJudge::kByAddress) {
    spawn.private_directory = host.runtime_directory;
    spawn.unix_places = unix_setup.places;
  }
  spawn.seccomp = SeccompFilter({.allow_io_uring = objects.lsm_attached(),
                                 .no_unix_sockets = unix_setup.no_sockets,
                                 .no_memory_programs = request.file_view.has_value()});
  if (request.file_view) {
    Result<FileMounts> mounts = PrepareMounts(host, request);
    if (!mounts) return std::unexpected(mounts.error());
    spawn.file_mounts = *std::move(mounts);
  }
  if (IsCell(request.tier)) {
    Result<CellRoot> root = PrepareRoot(host, request);
    if (!root) return std::unexpected(root.error());
    spawn.cell = *std::move(root);
  }
  if (features.Has(Feature::kLandlock)) {
    Result<UniqueFd> ruleset = MakeRuleset(request, unix_setup.keeps_abstract_scope);
    if (!ruleset) return std::unexpected(ruleset.error());
    landlock = *std::move(ruleset);
    spawn.landlock_fd = landlock.get();
  }
  return spawn;
}

Result<RunOutcome> OutcomeOfFailedStart(const SpawnFailure& failure, const std::string& command) {
  if (failure.step != SpawnStep::kExec) {
    return FailErrno(failure.system_errno, "the run was not started: cannot " +
                                               std::string(SpawnStepName(failure.step)) +
                                               " for \"" + command + '"');
  }
  RunOutcome outcome;
  outcome.end = failure.system_errno == ENOENT ? RunEnd::kNotFound : RunEnd::kNotExecutable;
  outcome.start_errno = failure.system_errno;
  return outcome;
}

RunOutcome Reap(const Child& child, rusage& used) {
  RunOutcome outcome;
  int status = 0;
  while (wait4(child.pid, &status, 0, &used) < 0 && errno == EINTR) {
  }
  // PID 1 of a cell says how the command ended, unless it was killed itself.
  int of_command = 0;
  const bool is_told =
      child.status.valid() && read(child.status.get(), &of_command, sizeof(of_command)) ==
                                  static_cast<ssize_t>(sizeof(of_command));
  if (is_told) status = of_command;
  // Else nobody knows how the command ended.
  if (!is_told && child.status.valid() && !WIFSIGNALED(status)) status = SIGKILL;
  if (WIFSIGNALED(status)) {
    outcome.end = RunEnd::kSignaled;
    outcome.signal = WTERMSIG(status);
  } else {
    outcome.exit_code = WEXITSTATUS(status);
  }
  return outcome;
}

// That a command which waited did not start is known late.
Result<RunOutcome> ReapCommand(const SpawnResult& spawned, const std::string& command,
                               rusage& used) {
  RunOutcome outcome = Reap(spawned.child, used);
  if (!spawned.starting.valid()) return outcome;
  const Result<std::optional<SpawnFailure>> failure = FailureOf(spawned.starting);
  if (!failure) return std::unexpected(failure.error());
  return *failure ? OutcomeOfFailedStart(**failure, command) : outcome;
}

// The rules of a run, by the profiles that events name.
class RulesByProfile {
 public:
  struct Entry {
    const policy::RuleSet* rules = nullptr;
    size_t source = 0;
  };

  RulesByProfile(uint32_t profile, const policy::RuleSet& first) {
    entries_[profile] = {.rules = &first};
  }

  void Add(uint32_t profile, SourcedRules renewed) {
    Entry& entry = entries_[profile];
    entry.source = renewed.source;
    if (entry.rules == nullptr) entry.rules = &renewed_.emplace_back(std::move(renewed.rules));
  }

  [[nodiscard]] Entry Find(uint32_t profile) const {
    const auto found = entries_.find(profile);
    return found == entries_.end() ? Entry() : found->second;
  }

 private:
  std::deque<policy::RuleSet> renewed_;
  std::map<uint32_t, Entry> entries_;
};

// `changed` is called when other rules are in force, and when everything may be denied.
Result<std::optional<RuleRenewal>> StartRenewal(LiveRun& run, const RunRequest& request,
                                                RulesByProfile& rules,
                                                const std::function<void()>& changed) {
  if (!request.rules.valid_until_ms && request.watch == nullptr) return std::nullopt;
  Result<RuleRenewal> renewal =
      RuleRenewal::Start(run, request.rules.valid_until_ms,
                         {.renew = request.renew,
                          .on_renewed =
                              [&rules, &request, changed](uint32_t profile, SourcedRules renewed) {
                                changed();
                                if (request.on_renewed) request.on_renewed(renewed.source);
                                rules.Add(profile, std::move(renewed));
                              },
                          .on_failure =
                              [&request, changed](const Error& error) {
                                changed();
                                if (request.on_renewal_failure) request.on_renewal_failure(error);
                              }},
                         request.watch);
  if (!renewal) return std::unexpected(renewal.error());
  return *std::move(renewal);
}

// Serves the brokers of a run, and ends names that have ended.
class BrokerServing {
 public:
  // Borrows all.
  static Result<BrokerServing> Start(const BrokerService& service, RunNames& names,
                                     RunRelay relay) {
    UniqueFd timer(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
    if (!timer.valid()) return FailErrno(errno, "cannot make a timer");
    return BrokerServing(service, names, relay, std::move(timer));
  }

  [[nodiscard]] std::vector<WaitSource> Sources() {
    std::vector<WaitSource> sources = {
        {.fd = service_->resolver_fd, .on_readable = [this] { return Serve(); }},
        {.fd = timer_.get(), .on_readable = [this] { return Expire(); }}};
    if (has_relay_) {
      sources.push_back({.fd = service_->relay_fd, .on_readable = [this] { return ServeRelay(); }});
    }
    return sources;
  }

  // What the relay has said that nobody has heard yet.
  void Drain() {
    if (has_relay_) ServeRelay();
  }

  void Recheck() {
    if (has_relay_) service_->recheck_relay(relay_);
  }

 private:
  BrokerServing(const BrokerService& service, RunNames& names, RunRelay relay, UniqueFd timer)
      : service_(&service),
        names_(&names),
        relay_(relay),
        has_relay_(service.relay_fd >= 0),
        timer_(std::move(timer)) {}

  // A call that nobody would answer fails at once.
  bool ServeRelay() {
    if (service_->serve_relay(relay_)) return true;
    has_relay_ = false;
    relay_.Close();
    return false;
  }

  bool Serve() {
    const bool goes_on = service_->serve_resolver(*names_);
    Arm();
    return goes_on;
  }

  bool Expire() {
    uint64_t expirations = 0;
    (void)!read(timer_.get(), &expirations, sizeof(expirations));
    names_->Expire();
    Arm();
    return true;
  }

  void Arm() const {
    constexpr uint64_t kNanosecondsPerSecond = 1'000'000'000;
    itimerspec when = {};
    if (const std::optional<uint64_t> next = names_->next_expiry()) {
      when.it_value.tv_sec = static_cast<time_t>(*next / kNanosecondsPerSecond);
      when.it_value.tv_nsec = static_cast<long>(*next % kNanosecondsPerSecond);
    }
    timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
  }

  const BrokerService* service_;
  RunNames* names_;
  RunRelay relay_;
  bool has_relay_;
  UniqueFd timer_;
};

Result<std::optional<BrokerServing>> ServeBrokers(const KernelObjects& objects, LiveRun& run,
                                                  const RunRequest& request) {
  if (request.brokers == nullptr) return std::nullopt;
  const BrokerService& service = *request.brokers;
  Result<RunNames*> names = run.UseBrokers(service.ports, service.sockets, request.rules);
  if (!names) return std::unexpected(names.error());
  for (const PinnedAddress& pin : service.pins) {
    Result<void> learned = (*names)->Learn(pin.name, pin.address, pin.is_special, kNeverEnds);
    if (!learned) {
      return Fail(ErrorCode::kRefused,
                  "\"" + pin.name + "\" cannot be pinned for the run: " + learned.error().message);
    }
  }
  Result<BrokerServing> serving =
      BrokerServing::Start(service, **names, RunRelay(objects, run.cgroup().id(), **names));
  if (!serving) return std::unexpected(serving.error());
  return *std::move(serving);
}

// Where the run has calls that wait for an answer, `spawn` has what makes them wait.
Result<std::optional<HeldCalls>> PrepareHold(const KernelObjects& objects, const LiveRun& run,
                                             const RunRequest& request, const RulesByProfile& rules,
                                             SpawnRequest& spawn) {
  const HeldKinds kinds = request.hold ? HeldKindsOf(request.rules) : HeldKinds();
  if (!kinds.any()) return std::nullopt;
  spawn.hold = HoldFilter(kinds);
  spawn.holds_programs = kinds.programs;
  Result<HeldCalls> held = HeldCalls::Create(
      objects, run.cgroup().id(), *request.hold,
      [&rules, &request](const HeldCall& call) {
        const RulesByProfile::Entry asked = rules.Find(call.profile);
        request.hold->on_held(call, asked.rules, asked.source);
      },
      [&rules](uint32_t profile) { return rules.Find(profile).rules; });
  if (!held) return std::unexpected(held.error());
  return *std::move(held);
}

// What the supervisor serves besides. Borrows all.
std::vector<WaitSource> SourcesOf(std::optional<BrokerServing>& brokers,
                                  std::optional<HeldCalls>& held, SpawnResult& spawned,
                                  LimitSupervision& limits) {
  std::vector<WaitSource> sources = limits.Sources();
  if (brokers) std::ranges::move(brokers->Sources(), std::back_inserter(sources));
  if (held) {
    held->Listen(std::move(spawned.listener));
    std::ranges::move(held->Sources(), std::back_inserter(sources));
  }
  if (spawned.starting.valid()) {
    sources.push_back({.fd = spawned.starting.get(), .on_readable = [] { return false; }});
  }
  return sources;
}

// Spawns, waits and kills. The run's objects stay for the caller to remove.
Result<RunOutcome> Supervise(const KernelObjects& objects, LiveRun& run, SpawnRequest& spawn,
                             const RunRequest& request, const Placeholders* placeholders,
                             LimitSupervision& limits) {
  Result<ForwardedSignals> signals = ForwardedSignals::Block();
  if (!signals) return std::unexpected(signals.error());
  spawn.cgroup_fd = run.cgroup().fd();
  spawn.signal_mask = request.watch == nullptr
                          ? signals->previous_mask()
                          : request.watch->MaskWithout(signals->previous_mask());

  Result<std::optional<BrokerServing>> brokers = ServeBrokers(objects, run, request);
  if (!brokers) return std::unexpected(brokers.error());
  RulesByProfile rules(run.first_profile(), request.rules);
  Result<std::optional<RuleRenewal>> renewal = StartRenewal(run, request, rules, [&brokers] {
    if (*brokers) (*brokers)->Recheck();
  });
  if (!renewal) return std::unexpected(renewal.error());
  Result<std::optional<HeldCalls>> held = PrepareHold(objects, run, request, rules, spawn);
  if (!held) return std::unexpected(held.error());
  run.AuditAllows(request.audit_allows);
  if (request.is_offline) run.MarkOffline();

  if (request.on_begin) request.on_begin({.id = run.id(), .cgroup = run.cgroup().id()});
  // Before the command: it may detach children as soon as it runs.
  Result<Guardian> guardian = Guardian::Start([&] {
    if (run.Remove() && placeholders != nullptr) placeholders->Remove();
  });
  if (!guardian) return std::unexpected(guardian.error());
  Result<SpawnLimits> child_limits = limits.ForChild(request.user);
  if (!child_limits) return std::unexpected(child_limits.error());
  spawn.limits = *std::move(child_limits);
  Result<SpawnResult> spawned = Spawn(spawn);
  if (!spawned) return std::unexpected(spawned.error());
  limits.Begin();
  const EventRing::Handler on_event = [&](const palyra_event& event) {
    const RulesByProfile::Entry judged = rules.Find(event.profile);
    const auto& tell = event.verdict == PALYRA_ALLOW ? request.on_allow : request.on_denial;
    if (tell) tell(event, judged.rules, judged.source);
  };
  const EventRing::PathHandler on_path_event = [&](const PathEvent& event) {
    const RulesByProfile::Entry judged = rules.Find(event.event.profile);
    const auto& tell =
        event.event.verdict == PALYRA_ALLOW ? request.on_path_allow : request.on_path_denial;
    if (tell) tell(event, judged.rules, judged.source);
  };
  if (spawned->failure) {
    // The command itself may be what is denied.
    run.events().Drain(on_event, kEventsAtEnd, on_path_event);
    Result<RunOutcome> outcome = OutcomeOfFailedStart(*spawned->failure, request.argv[0]);
    if (outcome) outcome->counters = run.ReadCounters();
    return outcome;
  }
  Result<WaitEnd> waited = WaitForChild({.child = &spawned->child,
                                         .signals = &*signals,
                                         .events = &run.events(),
                                         .on_event = &on_event,
                                         .on_path_event = &on_path_event,
                                         .timeout = request.timeout,
                                         .must_end = &request.must_end,
                                         .is_over_limit = [&limits] { return limits.is_over(); },
                                         .renewal = *renewal ? &**renewal : nullptr,
                                         .sources = SourcesOf(*brokers, *held, *spawned, limits)});
  // Whatever happened, nothing goes on running.
  if (Result<void> killed = run.Kill(); !killed) return std::unexpected(killed.error());
  if (!waited) return std::unexpected(waited.error());
  // Its exit goes on beside what follows; a run that is dead and not yet removed is swept.
  guardian->Dismiss();
  rusage used = {};
  Result<RunOutcome> outcome = ReapCommand(*spawned, request.argv[0], used);
  run.events().Drain(on_event, kEventsAtEnd, on_path_event);
  if (*brokers) (*brokers)->Drain();
  if (!outcome) return outcome;
  if (request.measures_usage) outcome->usage = ReadUsage(run.cgroup().path(), used);
  if (*waited == WaitEnd::kDeadline) outcome->end = RunEnd::kTimedOut;
  if (*waited == WaitEnd::kRulesChanged) outcome->end = RunEnd::kRulesChanged;
  limits.End(signals->fd(), *outcome);
  outcome->counters = run.ReadCounters();
  return outcome;
}

Result<RunOutcome> SuperviseWithLimits(const Host& host, const KernelObjects& objects, LiveRun& run,
                                       SpawnRequest& spawn, const RunRequest& request,
                                       const Placeholders* placeholders) {
  Result<LimitSupervision> limits = LimitSupervision::Prepare(host, run, request.limits);
  if (!limits) return std::unexpected(limits.error());
  return Supervise(objects, run, spawn, request, placeholders, *limits);
}

}  // namespace

bool NeedsRelay(const policy::RuleSet& rules) { return policy::VerifiesAny(rules); }

bool NeedsBrokers(const policy::RuleSet& rules) {
  return rules.domains.has_value() || NeedsRelay(rules);
}

Result<RunOutcome> RunConstrainedProcess(const Host& host, const KernelObjects& objects,
                                         Features& features, const RunRequest& request) {
  if (Result<void> accepted = RefuseUnholdableStreams(); !accepted) {
    return std::unexpected(accepted.error());
  }
  if (NeedsBrokers(request.rules) && request.brokers == nullptr) {
    return Fail(ErrorCode::kUnsupported,
                "the policies speak of names of hosts, and there is no resolver for them");
  }
  if (Result<void> held = RequireFilePrograms(objects, request.rules); !held) {
    return std::unexpected(held.error());
  }
  Result<UnixSetup> unix_setup =
      PrepareUnix(objects.unix_judge(), request.rules, host.runtime_directory);
  if (!unix_setup) return std::unexpected(unix_setup.error());
  Result<LiveRun> run = LiveRun::Create(host, objects, request.rules);
  if (!run) return std::unexpected(run.error());
  Result<void> registered = RegisterPlaces(objects, run->cgroup().id(), unix_setup->places);
  if (!registered) return std::unexpected(registered.error());
  std::optional<Placeholders> placeholders;
  if (request.file_view) {
    FileView view = *request.file_view;
    if (request.cell) {
      view.placeholders = PlaceholdersOf(
          view, [&](const std::string& path) { return request.cell->IsOfHost(path); });
    }
    Result<Placeholders> made =
        Placeholders::Make(host.runtime_directory, run->id(), view, request.user);
    if (!made) return std::unexpected(made.error());
    placeholders = *std::move(made);
  }
  UniqueFd landlock;
  Result<SpawnRequest> spawn =
      PrepareSpawn(host, objects, request, *unix_setup, features, landlock);
  Result<RunOutcome> outcome = spawn ? SuperviseWithLimits(host, objects, *run, *spawn, request,
                                                           placeholders ? &*placeholders : nullptr)
                                     : Result<RunOutcome>(std::unexpected(spawn.error()));
  Result<void> removed = run->Remove();
  // A process that could not be killed keeps what denies it.
  if (removed && placeholders) placeholders->Remove();
  if (outcome && !removed) return std::unexpected(removed.error());
  if (outcome) outcome->run_id = run->id();
  return outcome;
}

}  // namespace palyra::engine
