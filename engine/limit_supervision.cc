#include "engine/limit_supervision.h"

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "engine/limit_mechanisms.h"

namespace palyra::engine {
namespace {

// A reader that takes nothing for so long does not keep what was ended from its end.
constexpr std::chrono::milliseconds kPatience{5'000};

Result<void> RefuseUnheld(const RunLimits& limits, const Controllers& controllers) {
  for (const LimitInfo& info : AllLimits()) {
    if (!IsSet(limits, info.kind)) continue;
    const LimitMechanism mechanism = MechanismOf(info.kind, controllers);
    if (mechanism != LimitMechanism::kNone) continue;
    return Fail(ErrorCode::kRefused, "--" + std::string(info.name) + " cannot be held here: " +
                                         std::string(MechanismText(info.kind, mechanism)) + "; " +
                                         std::string(RemedyOf(info.kind)));
  }
  return {};
}

// Without what controllers hold.
RunLimits Measured(const RunLimits& limits, const Controllers& controllers) {
  RunLimits measured;
  measured.cpu_time = limits.cpu_time;
  if (MechanismOf(LimitKind::kMemory, controllers) == LimitMechanism::kSampling) {
    measured.memory = limits.memory;
    measured.swap = limits.swap;
  }
  if (MechanismOf(LimitKind::kProcesses, controllers) == LimitMechanism::kSampling) {
    measured.processes = limits.processes;
  }
  return measured;
}

bool NeedsControllers(const RunLimits& limits) {
  return limits.memory || limits.processes || limits.processors || limits.io;
}

}  // namespace

Result<LimitSupervision> LimitSupervision::Prepare(const Host& host, LiveRun& run,
                                                   const RunLimits& limits) {
  LimitSupervision supervision(limits);
  if (limits == RunLimits()) return supervision;
  if (Result<void> held = supervision.Hold(host, run); !held) {
    return std::unexpected(held.error());
  }
  return supervision;
}

Result<void> LimitSupervision::Hold(const Host& host, LiveRun& run) {
  const Controllers controllers = NeedsControllers(limits_) ? FindControllers() : Controllers();
  if (NeedsControllers(limits_)) {
    if (Result<void> held = RefuseUnheld(limits_, controllers); !held) return held;
    Result<LimitCgroups> cgroups = HoldByCgroups(host, run, limits_, controllers);
    if (!cgroups) return std::unexpected(cgroups.error());
    cgroups_ = *std::move(cgroups);
  }
  const RunLimits measured = Measured(limits_, controllers);
  if (!cgroups_.events.empty() || measured != RunLimits()) {
    Result<LimitWatch> watch = LimitWatch::Start(run.cgroup(), cgroups_.events, measured);
    if (!watch) return std::unexpected(watch.error());
    watch_.emplace(*std::move(watch));
  }
  return {};
}

Result<SpawnLimits> LimitSupervision::ForChild(const ToolUser& user) {
  SpawnLimits child;
  for (const UniqueFd& members : cgroups_.cgroup1_members) {
    child.cgroup1_members.push_back(members.get());
  }
  // Of 1, and not of 0: a core that is piped to a program is not made only then (core(5) has 0
  // mean files alone), and no file is so small.
  child.process_limits.push_back({.resource = RLIMIT_CORE, .most = 1});
  if (limits_.disk)
    child.process_limits.push_back({.resource = RLIMIT_FSIZE, .most = *limits_.disk});
  if (limits_.open_files) {
    child.process_limits.push_back({.resource = RLIMIT_NOFILE, .most = *limits_.open_files});
  }
  if (limits_.cpu_time) {
    // For one process alone, and whole seconds: the supervisor is sooner, if it is there.
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(*limits_.cpu_time).count() + 1;
    child.process_limits.push_back(
        {.resource = RLIMIT_CPU, .most = static_cast<uint64_t>(seconds)});
  }
  if (limits_.output) {
    Result<OutputRelay> relay = OutputRelay::Create(*limits_.output, user.uid, user.gid);
    if (!relay) return std::unexpected(relay.error());
    relay_.emplace(*std::move(relay));
    child.output = relay_->ChildEnd(STDOUT_FILENO);
    child.error_output = relay_->ChildEnd(STDERR_FILENO);
  }
  child.holds_memory = limits_.memory.has_value();
  return child;
}

void LimitSupervision::Begin() {
  if (relay_) relay_->Begin();
}

std::vector<WaitSource> LimitSupervision::Sources() {
  std::vector<WaitSource> sources;
  if (watch_) {
    sources.push_back({.fd = watch_->fd(), .on_readable = [this] {
                         watch_->Serve();
                         return true;
                       }});
  }
  if (relay_) {
    sources.push_back({.fd = relay_->fd(), .on_readable = [this] {
                         relay_->Serve();
                         return true;
                       }});
  }
  return sources;
}

bool LimitSupervision::is_over() const {
  return (watch_ && watch_->hit()) || (relay_ && relay_->is_over());
}

void LimitSupervision::End(int interrupt, RunOutcome& outcome) {
  if (watch_) watch_->LookAtEnd();
  if (relay_) {
    const bool has_ended_itself = outcome.end == RunEnd::kExited && !is_over();
    relay_->Drain(interrupt, has_ended_itself ? std::nullopt : std::optional(kPatience));
  }
  if (relay_ && outcome.usage) {
    outcome.usage->output = {.amount = relay_->Count(STDOUT_FILENO) + relay_->Count(STDERR_FILENO),
                             .source = "the supervisor's relay"};
  }
  std::optional<LimitKind> hit = watch_ ? watch_->hit() : std::nullopt;
  if (!hit && relay_ && relay_->is_over()) hit = LimitKind::kOutput;
  if (!hit && outcome.end == RunEnd::kSignaled) {
    if (limits_.disk && outcome.signal == SIGXFSZ) hit = LimitKind::kDisk;
    // RLIMIT_CPU was first.
    if (limits_.cpu_time && outcome.signal == SIGKILL && watch_->IsCpuTimeUsed()) {
      hit = LimitKind::kCpuTime;
    }
  }
  if (!hit) return;
  outcome.end = RunEnd::kLimit;
  outcome.limit = hit;
  outcome.limit_text = LimitText(limits_, *hit);
}

}  // namespace palyra::engine
