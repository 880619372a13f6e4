#include "engine/live_run.h"

#include <utility>

namespace palyra::engine {
namespace {

// SIGKILL takes effect at once but in uninterruptible sleep, which ends with the input or output
// that is waited for.
constexpr std::chrono::milliseconds kKillLimit{10'000};

}  // namespace

LiveRun::LiveRun(const KernelObjects& objects, RunLock lock, Cgroup cgroup)
    : objects_(&objects),
      lock_(std::move(lock)),
      cgroup_(std::move(cgroup)),
      kill_method_(KillMethodOf(cgroup_.path())) {}

LiveRun::~LiveRun() {
  // A moved-from run owns no descriptor.
  if (!removed_ && cgroup_.fd() >= 0) (void)Remove();
}

// With a table half full every second cgroup finds its slot free; 64 in a row mean that it is full.
constexpr int kMostTries = 64;

Result<LiveRun> LiveRun::Create(const Host& host, const KernelObjects& objects,
                                const policy::RuleSet& rules) {
  for (int i = 0; i < kMostTries; ++i) {
    Result<RunLock> lock = RunLock::CreateUnique(host.runtime_directory);
    if (!lock) return std::unexpected(lock.error());
    Result<Cgroup> cgroup = Cgroup::Create(objects.cgroup_path() + '/' + lock->id());
    if (!cgroup) return std::unexpected(cgroup.error());
    if (!objects.runs().Claim(cgroup->id())) {
      if (Result<void> removed = RemoveCgroup(cgroup->path()); !removed) {
        return std::unexpected(removed.error());
      }
      continue;
    }
    LiveRun run(objects, *std::move(lock), *std::move(cgroup));
    if (Result<void> ready = run.PutInForce(rules); !ready) return std::unexpected(ready.error());
    return run;
  }
  return Fail(ErrorCode::kExhausted, "the table of runs is full; end some runs");
}

Result<void> LiveRun::PutInForce(const policy::RuleSet& rules) {
  Result<Profile> profile = Profile::Upload(*objects_, rules, cgroup_.id());
  if (!profile) return std::unexpected(profile.error());
  profile_.emplace(*std::move(profile));
  Result<EventRing> ring = EventRing::Claim(*objects_, cgroup_.id());
  if (!ring) return std::unexpected(ring.error());
  ring_.emplace(*std::move(ring));
  objects_->runs().PutInForce(cgroup_.id(), profile_->id(), ring_->index());
  return {};
}

RunCounters LiveRun::ReadCounters() const { return objects_->runs().Counters(cgroup_.id()); }

Result<void> LiveRun::Kill() { return KillCgroup(cgroup_, kill_method_, kKillLimit); }

Result<void> LiveRun::Remove() {
  removed_ = true;
  const Result<void> killed = Kill();
  objects_->runs().Free(cgroup_.id());
  ring_.reset();
  profile_.reset();
  // Last: as long as the cgroup is there, a sweep knows that something may be left of this run.
  const Result<void> gone = RemoveCgroup(cgroup_.path());
  return killed ? gone : killed;
}

}  // namespace palyra::engine
