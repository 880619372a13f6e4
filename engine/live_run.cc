#include "engine/live_run.h"

#include <bpf/bpf.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "bpf/abi.h"
#include "engine/clock.h"
#include "engine/flows.h"
#include "engine/grants.h"
#include "engine/profile_cache.h"
#include "engine/run_relay.h"
#include "engine/unix_places.h"

namespace palyra::engine {
namespace {

// SIGKILL takes effect at once but in uninterruptible sleep, which ends with the input or output
// that is waited for.
constexpr std::chrono::milliseconds kKillLimit{10'000};

bool IsSame(const LinkedFile& a, const LinkedFile& b) {
  struct stat one;
  struct stat other;
  return a.path == b.path && fstat(a.fd.get(), &one) == 0 && fstat(b.fd.get(), &other) == 0 &&
         one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

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
  // First, because it may wait for the kernel, and the profile is held until it is in force.
  Result<EventRing> ring = EventRing::Claim(*objects_, cgroup_.id());
  if (!ring) return std::unexpected(ring.error());
  ring_.emplace(*std::move(ring));
  Result<HeldProfile> profile = HoldProfile(*objects_, rules);
  if (!profile) return std::unexpected(profile.error());
  first_profile_ = profile->id();
  Result<void> registered = RegisterEveryPath(*objects_, cgroup_.id(), first_profile_, rules);
  if (!registered) return registered;
  objects_->runs().PutInForce(cgroup_.id(), profile->id(), ring_->index(),
                              BootDeadlineOf(rules.valid_until_ms));
  return AddLinkedNamesOf(rules);
}

// What earlier rules protected stays known: the rules in force are asked about it, and may permit
// it.
Result<void> LiveRun::AddLinkedNamesOf(const policy::RuleSet& rules) {
  if (!objects_->judges_files()) return {};
  LinkedFiles found = FindLinkedFiles(rules);
  if (Result<void> all = RequireAll(found); !all) return all;
  Result<void> added = AddLinkedNames(*objects_, cgroup_.id(), found.files);
  for (LinkedFile& file : found.files) {
    const auto is_known = [&](const LinkedFile& other) { return IsSame(other, file); };
    if (std::ranges::none_of(linked_files_, is_known)) linked_files_.push_back(std::move(file));
  }
  return added;
}

Result<Replacement> LiveRun::Replace(const policy::RuleSet& rules) {
  if (Result<void> added = AddLinkedNamesOf(rules); !added) return std::unexpected(added.error());
  return ReplaceRules(*objects_, cgroup_, rules, names_ ? &*names_ : nullptr);
}

Result<RunNames*> LiveRun::UseBrokers(const BrokerPorts& ports, std::span<const int> sockets,
                                      const policy::RuleSet& rules) {
  const palyra_broker broker = {.run = cgroup_.id()};
  for (const int fd : sockets) {
    if (bpf_map_update_elem(objects_->fd(Table::kBrokers), &fd, &broker, BPF_ANY) != 0) {
      return FailErrno(errno, "cannot write the kernel table \"brokers\"");
    }
  }
  objects_->runs().SetBrokers(cgroup_.id(), ports);
  uses_relay_ = ports.relay != 0;
  return &names_.emplace(*objects_, cgroup_.id(), first_profile_, rules);
}

RunCounters LiveRun::ReadCounters() const { return objects_->runs().Counters(cgroup_.id()); }

bool LiveRun::MoveDeadline(uint32_t profile, uint64_t expires_ns) const {
  const Result<UniqueFd> lock = objects_->LockRuns();
  return lock && objects_->runs().SetDeadline(cgroup_.id(), profile, expires_ns);
}

// Without the lock too, as FreeEntry.
void LiveRun::DenyEverything() const {
  constexpr uint64_t kLongAgoNs = 1;
  {
    const Result<UniqueFd> lock = objects_->LockRuns();
    const std::optional<uint32_t> profile = objects_->runs().ProfileOf(cgroup_.id());
    if (profile) (void)objects_->runs().SetDeadline(cgroup_.id(), *profile, kLongAgoNs);
  }
  (void)CutFlows(*objects_, cgroup_, [](const Flow&) { return false; });
}

Result<void> LiveRun::Kill() { return KillCgroup(cgroup_, kill_method_, kKillLimit); }

bool LiveRun::OwnsCgroup(const std::string& path) const {
  return std::ranges::find(other_cgroups_, path) != other_cgroups_.end();
}

// Without the lock too: a run that cannot open one more file must not stay in force.
void LiveRun::FreeEntry() {
  bool had_grants = false;
  {
    const Result<UniqueFd> lock = objects_->LockRuns();
    had_grants = objects_->runs().HasGrants(cgroup_.id());
    objects_->runs().Free(cgroup_.id());
  }
  if (had_grants) RemoveGrantsOf(*objects_, cgroup_.id());
  if (names_) names_->RemoveAll();
  if (objects_->unix_judge() == UnixJudge::kByAddress) RemovePlacesOf(*objects_, cgroup_.id());
  if (uses_relay_) RemoveRelayedOf(*objects_, cgroup_.id());
  if (!linked_files_.empty()) RemoveLinkedNamesOf(*objects_, cgroup_.id());
}

Result<void> LiveRun::Remove() {
  removed_ = true;
  const Result<void> killed = Kill();
  FreeEntry();
  ring_.reset();
  TrimIdleProfiles(*objects_);
  for (const std::string& path : other_cgroups_) {
    const Result<void> gone = RemoveCgroup(path);
    if (!gone) return killed ? gone : killed;
  }
  // Last: as long as the cgroup is there, a sweep knows that something may be left of this run.
  const Result<void> gone = RemoveCgroup(cgroup_.path());
  return killed ? gone : killed;
}

}  // namespace palyra::engine
