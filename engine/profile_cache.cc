#include "engine/profile_cache.h"

#include <algorithm>
#include <set>
#include <vector>

#include "bpf/abi.h"
#include "engine/profile.h"

namespace palyra::engine {
namespace {

using ProfileLock = KernelObjects::ProfileLock;
using std::chrono::milliseconds;

// A start waits for others that remove or write; a large policy takes some tenths of a second.
constexpr milliseconds kPatience{5'000};
// The end of a run leaves the bounds to the next one where others are at work for so long.
constexpr milliseconds kPatienceAtEnd{100};

// What is held in all.
struct Holdings {
  size_t profiles = 0;
  size_t entries = 0;
  size_t automata = 0;  // In entries of that table.

  explicit Holdings(const std::vector<ProfileRecord>& records) : profiles(records.size()) {
    for (const ProfileRecord& record : records) {
      entries += record.entries();
      automata += record.profile.automata;
    }
  }

  void Remove(const ProfileRecord& record) {
    --profiles;
    entries -= record.entries();
    automata -= record.profile.automata;
  }

  [[nodiscard]] bool IsWithinBounds() const {
    return profiles <= PALYRA_MAX_IDLE_PROFILES && entries <= PALYRA_MAX_IDLE_ENTRIES &&
           automata <= PALYRA_MAX_IDLE_AUTOMATA;
  }
};

// The longest unused first. Under the exclusive lock: nobody is about to use one of them.
std::vector<ProfileRecord> IdleProfiles(const KernelObjects& objects) {
  const std::set<uint32_t> used = objects.runs().Profiles();
  std::vector<ProfileRecord> idle = ReadProfileRecords(objects);
  std::erase_if(idle, [&used](const ProfileRecord& record) { return used.contains(record.id); });
  std::ranges::sort(idle, {}, [](const ProfileRecord& r) { return r.profile.last_used_ns; });
  return idle;
}

// With the exclusive lock: half of what is idle at a time goes, the longest unused first, until the
// rules fit or nothing is left to go.
Result<uint32_t> WriteInPlaceOfIdle(const KernelObjects& objects, const policy::RuleSet& rules,
                                    const base::Sha256Digest& digest) {
  RemoveUnfinishedProfiles(objects);
  std::vector<ProfileRecord> idle = IdleProfiles(objects);
  Result<uint32_t> id = WriteProfile(objects, rules, digest);
  while (!id && id.error().code == ErrorCode::kExhausted && !idle.empty()) {
    const auto half = static_cast<ptrdiff_t>((idle.size() + 1) / 2);
    for (auto record = idle.begin(); record != idle.begin() + half; ++record) {
      RemoveProfile(objects, *record);
    }
    idle.erase(idle.begin(), idle.begin() + half);
    id = WriteProfile(objects, rules, digest);
  }
  return id;
}

}  // namespace

Result<HeldProfile> HoldProfile(const KernelObjects& objects, const policy::RuleSet& rules) {
  return HoldProfile(objects, rules, policy::Digest(rules));
}

Result<HeldProfile> HoldProfile(const KernelObjects& objects, const policy::RuleSet& rules,
                                const base::Sha256Digest& digest) {
  {
    Result<UniqueFd> lock = objects.LockProfiles(ProfileLock::kShared, kPatience);
    if (!lock) return std::unexpected(lock.error());
    if (const auto found = FindProfile(objects, digest)) {
      TouchProfile(objects, *found);
      return HeldProfile(*found, true, *std::move(lock));
    }
    Result<uint32_t> written = WriteProfile(objects, rules, digest);
    if (written) return HeldProfile(*written, false, *std::move(lock));
    // kUnavailable: a profile that is half removed, which what follows puts right.
    const bool may_help = written.error().code == ErrorCode::kExhausted ||
                          written.error().code == ErrorCode::kUnavailable;
    if (!may_help) return std::unexpected(written.error());
  }
  Result<UniqueFd> lock = objects.LockProfiles(ProfileLock::kExclusive, kPatience);
  if (!lock) return std::unexpected(lock.error());
  if (const auto found = FindProfile(objects, digest)) {
    return HeldProfile(*found, true, *std::move(lock));
  }
  Result<uint32_t> written = WriteInPlaceOfIdle(objects, rules, digest);
  if (!written) return std::unexpected(written.error());
  return HeldProfile(*written, false, *std::move(lock));
}

void TrimIdleProfiles(const KernelObjects& objects) {
  // Those that a run is under are among them, so this finds too many and never too few.
  if (Holdings(ReadProfileRecords(objects)).IsWithinBounds()) return;
  const auto lock = objects.LockProfiles(ProfileLock::kExclusive, kPatienceAtEnd);
  if (!lock) return;
  const std::vector<ProfileRecord> idle = IdleProfiles(objects);
  Holdings left(idle);
  for (const ProfileRecord& record : idle) {
    if (left.IsWithinBounds()) return;
    RemoveProfile(objects, record);
    left.Remove(record);
  }
}

void SweepUnfinishedProfiles(const KernelObjects& objects) {
  if (!HasUnfinishedProfiles(objects)) return;
  const auto lock = objects.LockProfiles(ProfileLock::kExclusive, milliseconds::zero());
  if (lock) RemoveUnfinishedProfiles(objects);
}

CacheState ReadCacheState(const KernelObjects& objects) {
  CacheState state;
  const std::set<uint32_t> used = objects.runs().Profiles();
  for (const ProfileRecord& record : ReadProfileRecords(objects)) {
    ++state.profiles;
    if (record.profile.complete == 0) ++state.incomplete;
    if (used.contains(record.id)) continue;
    ++state.idle;
    state.idle_entries += record.entries();
  }
  return state;
}

}  // namespace palyra::engine
