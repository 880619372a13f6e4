// A compiled policy in the kernel's tables, under a profile id of its own: writing, reading and
// removing it. Who uses it, and for how long it is kept, is profile_cache.h's.

#ifndef PALYRA_ENGINE_PROFILE_H_
#define PALYRA_ENGINE_PROFILE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "base/sha256.h"
#include "engine/kernel_objects.h"
#include "policy/rule_set.h"

namespace palyra::engine {

// Writes every entry of `rules`, whose digest is `digest`, under a new id, and then makes it known
// as complete. Where a profile of equal rules was completed meanwhile, that one is the answer, and
// nothing is left of the new one. On failure (kExhausted: a table is full, or no memory) what was
// written is removed again. Under the lock of the profiles, of either kind.
Result<uint32_t> WriteProfile(const KernelObjects& objects, const policy::RuleSet& rules,
                              const base::Sha256Digest& digest);

// The complete profile of the rules with that digest. Under the lock of the profiles.
std::optional<uint32_t> FindProfile(const KernelObjects& objects, const base::Sha256Digest& digest);

// Remembers that the profile was wanted now.
void TouchProfile(const KernelObjects& objects, uint32_t id);

std::optional<palyra_profile> ReadProfileRecord(const KernelObjects& objects, uint32_t id);

struct ProfileRecord {
  uint32_t id;
  palyra_profile profile;
  [[nodiscard]] size_t entries() const {
    return size_t{profile.addresses4} + profile.addresses6 + profile.hosts + profile.rows +
           profile.reasons + profile.name_leaves + profile.program_digests;
  }
};

// All of them, in no order; a few microseconds.
std::vector<ProfileRecord> ReadProfileRecords(const KernelObjects& objects);

// Removes a profile that no run is under: in a time that depends on its size alone where it is
// whole, and by looking through the tables where it is not. Under the exclusive lock of the
// profiles.
void RemoveProfile(const KernelObjects& objects, const ProfileRecord& record);

// Removes what writers and removers left who died, if there is something. Under the same lock.
void RemoveUnfinishedProfiles(const KernelObjects& objects);

// There is such a thing, or somebody is writing at this moment.
bool HasUnfinishedProfiles(const KernelObjects& objects);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_PROFILE_H_
