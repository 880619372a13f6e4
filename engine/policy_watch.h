// Being told when another version of the operator's policies is put in force.
//
// By dnotify (fcntl(2), F_NOTIFY): a signal, SIGIO, which is blocked and read from a descriptor. Of
// inotify and fanotify instances a user has 128 by default, and root has as many as it has runs.

#ifndef PALYRA_ENGINE_POLICY_WATCH_H_
#define PALYRA_ENGINE_POLICY_WATCH_H_

#include <signal.h>

#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"
#include "engine/policy_store.h"

namespace palyra::engine {

// One at a time in a process, before it has threads: SIGIO is blocked as long as it lives.
class PolicyWatch {
 public:
  // From now on no change is missed. Makes the store where it is missing. kUnsupported where the
  // kernel has no dnotify.
  static Result<PolicyWatch> Start(const PolicyStore& store);

  PolicyWatch(PolicyWatch&& other) noexcept;
  PolicyWatch& operator=(PolicyWatch&&) = delete;
  PolicyWatch(const PolicyWatch&) = delete;
  PolicyWatch& operator=(const PolicyWatch&) = delete;
  ~PolicyWatch();

  // Readable (EPOLLIN) when something has changed in the store.
  [[nodiscard]] int fd() const { return signals_.get(); }

  // Until the next change it is not readable any more.
  void Acknowledge() const;

  // The signal mask that a child should have: without what this has blocked.
  [[nodiscard]] sigset_t MaskWithout(sigset_t mask) const;

 private:
  PolicyWatch(UniqueFd directory, UniqueFd signals, bool was_blocked)
      : directory_(std::move(directory)), signals_(std::move(signals)), was_blocked_(was_blocked) {}

  UniqueFd directory_;
  UniqueFd signals_;
  bool was_blocked_;
};

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_POLICY_WATCH_H_
