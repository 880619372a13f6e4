// A compiled policy in the kernel's tables, under a profile id of its own.

#ifndef PALYRA_ENGINE_PROFILE_H_
#define PALYRA_ENGINE_PROFILE_H_

#include <cstdint>

#include "base/result.h"
#include "engine/kernel_objects.h"
#include "engine/table_image.h"
#include "policy/rule_set.h"

namespace palyra::engine {

// Owns the entries: they are removed on destruction. Borrows `objects`.
class Profile {
 public:
  // Takes a free profile id for the run with cgroup id `owner` and writes all entries. On failure
  // (kExhausted: a table is full) what was written is removed again.
  static Result<Profile> Upload(const KernelObjects& objects, const policy::RuleSet& rules,
                                uint64_t owner);

  Profile(Profile&& other) noexcept;
  Profile& operator=(Profile&&) = delete;
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;
  ~Profile();

  [[nodiscard]] uint32_t id() const { return id_; }

 private:
  Profile(const KernelObjects& objects, uint32_t id) : objects_(&objects), id_(id) {}

  const KernelObjects* objects_;  // Null when moved from.
  uint32_t id_;
  TableImage image_;
};

// Removes every entry of profile `id`, found by looking through the tables: for profiles whose
// owner died. Absence is success.
Result<void> RemoveProfile(const KernelObjects& objects, uint32_t id);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_PROFILE_H_
