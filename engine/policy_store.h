// The operator's policies: every version that was loaded, and which of them is in force.
//
//     <store>/history          which version is in force, and what is known of each that is kept
//     <store>/versions/SHA256  the bytes of one (policy_bundle.h)
//     <store>/lock
//
// A version is put in force by one rename of `history`, after its bytes are on the disk. Whatever
// fails or dies before that leaves the version in force as it is. What is read must be trusted
// (base/trusted_file.h), and a version has the digest that it is known by.

#ifndef PALYRA_ENGINE_POLICY_STORE_H_
#define PALYRA_ENGINE_POLICY_STORE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "engine/policy_bundle.h"

namespace palyra::engine {

// The one that runs look into.
inline constexpr const char* kPolicyStore = "/var/lib/palyra/policy";

struct PolicyVersion {
  uint64_t number;    // From 1.
  int64_t loaded_ms;  // Wall clock, since the epoch.
  uint64_t before;    // The version that was in force when it was loaded; 0: none was.
  std::string digest;
  bool operator==(const PolicyVersion&) const = default;
};

struct PolicyHistory {
  uint64_t in_force = 0;                // Number of one of `versions`.
  std::vector<PolicyVersion> versions;  // Ascending, not empty.
  [[nodiscard]] const PolicyVersion* Find(uint64_t number) const;
};

class PolicyStore {
 public:
  static constexpr size_t kKept = 32;
  static constexpr size_t kMostBytes = size_t{64} << 20;

  explicit PolicyStore(std::string path = kPolicyStore) : path_(std::move(path)) {}

  [[nodiscard]] const std::string& path() const { return path_; }

  // Nothing where nothing was ever loaded.
  [[nodiscard]] Result<std::optional<PolicyHistory>> History() const;

  struct Stored {
    PolicyVersion version;
    PolicyBundle bundle;
  };
  // The version in force; nothing where nothing was ever loaded.
  [[nodiscard]] Result<std::optional<Stored>> InForce() const;
  // Any version that is kept.
  [[nodiscard]] Result<PolicyBundle> Read(const PolicyVersion& version) const;

  // Stores the bundle as a new version and puts it in force; where its bytes are in force already,
  // that version is the answer. Makes the store where it is missing. Keeps the kKept newest
  // versions, the one in force and the one before it.
  [[nodiscard]] Result<PolicyVersion> Load(const PolicyBundle& bundle, int64_t now_ms) const;

  // Puts a version in force that is kept. kNotFound where it is not.
  [[nodiscard]] Result<PolicyVersion> PutInForce(uint64_t number) const;

  // Nobody puts a version in force while either is held; only one holds kExclusive. Load() and
  // PutInForce() take it themselves. flock(2); waits. kNotFound where there is no store.
  enum class Lock { kShared, kExclusive };
  [[nodiscard]] Result<UniqueFd> Take(Lock kind) const;

 private:
  std::string path_;

  [[nodiscard]] Result<void> Write(const PolicyHistory& history) const;
  void RemoveUnkept(const PolicyHistory& history) const;
};

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_POLICY_STORE_H_
