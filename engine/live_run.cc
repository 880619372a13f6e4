#include "engine/live_run.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <utility>

namespace palyra::engine {
namespace {

// SIGKILL takes effect at once but in uninterruptible sleep, which ends with the input or output
// that is waited for.
constexpr std::chrono::milliseconds kKillLimit{10'000};

}  // namespace

LiveRun::LiveRun(const KernelObjects& objects, RunLock lock, Cgroup cgroup)
    : objects_(&objects), lock_(std::move(lock)), cgroup_(std::move(cgroup)) {}

LiveRun::~LiveRun() {
  // A moved-from run owns no descriptor.
  if (!removed_ && cgroup_.fd() >= 0) (void)Remove(KillMethod::kCgroupKill);
}

Result<LiveRun> LiveRun::Create(const Host& host, const KernelObjects& objects,
                                const policy::RuleSet& rules) {
  Result<RunLock> lock = RunLock::CreateUnique(host.runtime_directory);
  if (!lock) return std::unexpected(lock.error());
  Result<Cgroup> cgroup = Cgroup::Create(objects.cgroup_path() + '/' + lock->id());
  if (!cgroup) return std::unexpected(cgroup.error());
  LiveRun run(objects, *std::move(lock), *std::move(cgroup));
  if (Result<void> ready = run.PutInForce(rules); !ready) return std::unexpected(ready.error());
  return run;
}

Result<void> LiveRun::PutInForce(const policy::RuleSet& rules) {
  Result<Profile> profile = Profile::Upload(*objects_, rules, cgroup_.id());
  if (!profile) return std::unexpected(profile.error());
  profile_.emplace(*std::move(profile));
  Result<EventRing> ring = EventRing::Claim(*objects_, cgroup_.id());
  if (!ring) return std::unexpected(ring.error());
  ring_.emplace(*std::move(ring));

  const uint64_t key = cgroup_.id();
  const palyra_run entry = {
      .profile = profile_->id(), .ring = ring_->index(), .denied = 0, .lost = 0};
  if (bpf_map_update_elem(objects_->fd(Table::kRuns), &key, &entry, BPF_NOEXIST) != 0) {
    return FailErrno(errno, "cannot write the kernel table \"runs\"");
  }
  return {};
}

RunCounters LiveRun::ReadCounters() const {
  const uint64_t key = cgroup_.id();
  palyra_run entry = {};
  if (bpf_map_lookup_elem(objects_->fd(Table::kRuns), &key, &entry) != 0) return {};
  return {.denied = entry.denied, .lost = entry.lost};
}

Result<void> LiveRun::Kill(KillMethod method) { return KillCgroup(cgroup_, method, kKillLimit); }

Result<void> LiveRun::Remove(KillMethod method) {
  removed_ = true;
  Result<void> killed = Kill(method);
  const uint64_t key = cgroup_.id();
  bpf_map_delete_elem(objects_->fd(Table::kRuns), &key);
  ring_.reset();
  profile_.reset();
  // Last: as long as the cgroup is there, a sweep knows that something may be left of this run.
  Result<void> gone = RemoveCgroup(cgroup_.path());
  return killed ? gone : killed;
}

}  // namespace palyra::engine
