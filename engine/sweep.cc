#include "engine/sweep.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "bpf/abi.h"
#include "engine/cgroup.h"
#include "engine/grants.h"
#include "engine/held_records.h"
#include "engine/limit_cgroups.h"
#include "engine/linked_names.h"
#include "engine/placeholders.h"
#include "engine/profile_cache.h"
#include "engine/run_lock.h"
#include "engine/run_names.h"
#include "engine/run_relay.h"
#include "engine/unix_places.h"

namespace palyra::engine {
namespace {

constexpr std::chrono::milliseconds kKillLimit{10'000};

std::vector<std::string> NamesIn(const std::string& path, unsigned char type) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path.c_str()), closedir);
  if (directory == nullptr) return names;
  while (const dirent* entry = readdir(directory.get())) {
    if (entry->d_name[0] != '.' && entry->d_type == type) names.emplace_back(entry->d_name);
  }
  return names;
}

std::string Below(const std::string& directory, const std::string& name) {
  return directory + '/' + name;
}

template <typename Key, typename Value>
std::vector<std::pair<Key, Value>> ReadAllEntries(int fd) {
  std::vector<std::pair<Key, Value>> entries;
  Key key = {};
  Key* previous = nullptr;
  while (bpf_map_get_next_key(fd, previous, &key) == 0) {
    Value value = {};
    if (bpf_map_lookup_elem(fd, &key, &value) == 0) entries.emplace_back(key, value);
    previous = &key;
  }
  return entries;
}

// What the tables say before the cgroups are listed: an owner that is missing from the later list
// is dead, and not merely younger than the list.
struct TableOwners {
  std::vector<uint64_t> runs;
  std::vector<std::pair<uint32_t, palyra_ring_owner>> rings;

  static TableOwners Read(const KernelObjects& objects) {
    return {.runs = objects.runs().Cgroups(),
            .rings = ReadAllEntries<uint32_t, palyra_ring_owner>(objects.fd(Table::kRingOwners))};
  }
};

// A run without a supervisor, whose processes are dead. Its cgroup and lock stay until all else of
// it is gone: a sweep that is killed itself leaves them to the next one.
struct DeadRun {
  RunLock lock;
  Cgroup cgroup;
};

std::set<uint64_t> LiveCgroupIds(const std::string& generation_path,
                                 const std::vector<DeadRun>& dead) {
  std::set<uint64_t> ids;
  for (const std::string& name : NamesIn(generation_path, DT_DIR)) {
    Result<Cgroup> cgroup = Cgroup::Open(Below(generation_path, name));
    if (cgroup) ids.insert(cgroup->id());
  }
  for (const DeadRun& run : dead) ids.erase(run.cgroup.id());
  return ids;
}

// Whether the entry at `key` still belongs to `dead`. A run that ended by itself has freed its
// entries before its cgroup went, and another may have taken them since.
template <typename Key, typename Value, typename Owner>
bool StillOwned(int fd, const Key& key, Owner Value::* owner, uint64_t dead) {
  Value value = {};
  return bpf_map_lookup_elem(fd, &key, &value) == 0 && value.*owner == dead;
}

// One sweep at a time: between looking at an entry and removing it nobody else removes it, and only
// what is free can be taken.
void RemoveDeadEntries(const Host& host, const KernelObjects& objects,
                       const std::vector<DeadRun>& dead) {
  const Result<UniqueFd> lock = LockKernelObjects(host);
  if (!lock) return;
  const TableOwners owners = TableOwners::Read(objects);
  const std::set<uint64_t> live = LiveCgroupIds(objects.cgroup_path(), dead);
  for (const uint64_t run : owners.runs) {
    if (live.contains(run)) continue;
    {
      const Result<UniqueFd> runs_lock = objects.LockRuns();
      objects.runs().Free(run);
    }
    RemoveGrantsOf(objects, run);
    RemoveNamesOf(objects, run);
    RemovePlacesOf(objects, run);
    RemoveRelayedOf(objects, run);
    RemoveLinkedNamesOf(objects, run);
  }
  const int rings = objects.fd(Table::kRingOwners);
  for (const auto& [index, owner] : owners.rings) {
    const bool is_dead = !live.contains(owner.run);
    if (is_dead && StillOwned(rings, index, &palyra_ring_owner::run, owner.run)) {
      bpf_map_delete_elem(rings, &index);
    }
  }
  TrimIdleProfiles(objects);
}

// Nothing where a supervisor holds the run, or it is gone meanwhile.
Result<std::optional<DeadRun>> KillIfAbandoned(const Host& host, const std::string& path,
                                               const std::string& id) {
  Result<std::optional<RunLock>> lock = RunLock::TakeAbandoned(host.runtime_directory, id);
  if (!lock) return std::unexpected(lock.error());
  if (!*lock) return std::nullopt;
  Result<Cgroup> cgroup = Cgroup::Open(path);
  if (!cgroup && cgroup.error().code == ErrorCode::kNotFound) return std::nullopt;
  if (!cgroup) return std::unexpected(cgroup.error());
  Result<void> killed = KillCgroup(*cgroup, KillMethodOf(path), kKillLimit);
  if (!killed) return std::unexpected(killed.error());
  return DeadRun{.lock = **std::move(lock), .cgroup = *std::move(cgroup)};
}

std::vector<DeadRun> KillAbandonedRuns(const Host& host, const std::string& generation_path,
                                       SweepResult& result) {
  std::vector<DeadRun> dead;
  for (const std::string& id : NamesIn(generation_path, DT_DIR)) {
    Result<std::optional<DeadRun>> run = KillIfAbandoned(host, Below(generation_path, id), id);
    if (!run) {
      result.failures.push_back(run.error().message);
    } else if (*run) {
      dead.push_back(**std::move(run));
    }
  }
  return dead;
}

void RemoveDeadCgroups(const Host& host, const std::vector<DeadRun>& dead, SweepResult& result) {
  for (const DeadRun& run : dead) {
    Result<void> removed = RemoveLimitCgroups(host, run.lock.id());
    if (removed) removed = RemoveCgroup(run.cgroup.path());
    if (removed) {
      result.ended.push_back(run.lock.id());
    } else {
      result.failures.push_back(removed.error().message);
    }
  }
}

// Locks of runs that died before they had a cgroup.
void RemoveStrayLocks(const Host& host) {
  for (const std::string& id : NamesIn(RunLockDirectory(host.runtime_directory), DT_REG)) {
    (void)RunLock::TakeAbandoned(host.runtime_directory, id);
  }
}

}  // namespace

Result<SweepResult> SweepAbandonedRuns(const Host& host, const KernelObjects& objects) {
  SweepResult result;
  for (const std::string& generation : NamesIn(PalyraCgroup(host), DT_DIR)) {
    const std::string path = Below(PalyraCgroup(host), generation);
    const std::vector<DeadRun> dead = KillAbandonedRuns(host, path, result);
    const bool is_own = generation == GenerationName();
    if (is_own && !dead.empty()) RemoveDeadEntries(host, objects, dead);
    RemoveDeadCgroups(host, dead, result);
    if (!is_own && NamesIn(path, DT_DIR).empty()) {
      Result<void> removed = RemoveGeneration(host, generation);
      if (!removed) result.failures.push_back(removed.error().message);
    }
  }
  RemoveStrayLocks(host);
  SweepPlaceholders(host.runtime_directory);
  SweepHeldRecords(host.runtime_directory);
  SweepUnfinishedProfiles(objects);
  return result;
}

Result<int> Uninstall(const Host& host) {
  int in_use = 0;
  SweepResult swept;
  for (const std::string& generation : NamesIn(PalyraPins(host), DT_DIR)) {
    const std::string path = Below(PalyraCgroup(host), generation);
    RemoveDeadCgroups(host, KillAbandonedRuns(host, path, swept), swept);
    if (!NamesIn(path, DT_DIR).empty()) {
      ++in_use;
      continue;
    }
    if (Result<void> removed = RemoveGeneration(host, generation); !removed) {
      return std::unexpected(removed.error());
    }
  }
  RemoveStrayLocks(host);
  SweepPlaceholders(host.runtime_directory);
  SweepHeldRecords(host.runtime_directory);
  if (in_use == 0) {
    rmdir(PalyraCgroup(host).c_str());
    rmdir(PalyraPins(host).c_str());
    RemoveLimitCgroupParents(host);
  }
  return in_use;
}

}  // namespace palyra::engine
