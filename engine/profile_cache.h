// Profiles shared by all runs with equal rules, and kept for the next one.
//
// The kernel's tables are the cache: map `digests` leads from a RuleSet's digest to its profile.
// Who is under a profile is what the entries of `runs` say and nothing else, so no count can drift
// when somebody is killed. A profile that no run is under is idle; idle ones stay within the bounds
// of bpf/abi.h, and the one that was not wanted for longest goes first.

#ifndef PALYRA_ENGINE_PROFILE_CACHE_H_
#define PALYRA_ENGINE_PROFILE_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/result.h"
#include "base/sha256.h"
#include "base/unique_fd.h"
#include "engine/kernel_objects.h"
#include "policy/rule_set.h"

namespace palyra::engine {

// A complete profile that nobody removes as long as this lives: put it in force meanwhile. Short.
class HeldProfile {
 public:
  HeldProfile(uint32_t id, bool was_there, UniqueFd lock)
      : id_(id), was_there_(was_there), lock_(std::move(lock)) {}

  [[nodiscard]] uint32_t id() const { return id_; }
  [[nodiscard]] bool was_there() const { return was_there_; }

 private:
  uint32_t id_;
  bool was_there_;
  UniqueFd lock_;
};

// The profile of `rules`: the one that is there, else a new one. Where a table has no room for it,
// idle profiles go, the longest unused first, and it is tried once more. kExhausted: the profiles
// of live runs leave no room. kUnavailable: others keep the tables busy. On failure nothing is
// left.
Result<HeldProfile> HoldProfile(const KernelObjects& objects, const policy::RuleSet& rules);

// The same where the caller knows policy::Digest(rules).
Result<HeldProfile> HoldProfile(const KernelObjects& objects, const policy::RuleSet& rules,
                                const base::Sha256Digest& digest);

// Removes the longest unused idle profiles until the others are within the bounds. To be called
// when a run has left a profile; takes a few microseconds where nothing is to be done.
void TrimIdleProfiles(const KernelObjects& objects);

// Removes what a killed writer left, unless somebody is writing at this moment.
void SweepUnfinishedProfiles(const KernelObjects& objects);

struct CacheState {
  size_t profiles = 0;
  size_t incomplete = 0;
  size_t idle = 0;
  size_t idle_entries = 0;  // In all tables.
};

CacheState ReadCacheState(const KernelObjects& objects);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_PROFILE_CACHE_H_
