// Waiting for a run: the command's end, its deadline, signals for it, denials in its event ring.

#ifndef PALYRA_ENGINE_SUPERVISOR_H_
#define PALYRA_ENGINE_SUPERVISOR_H_

#include <signal.h>

#include <chrono>
#include <functional>
#include <optional>
#include <span>

#include "base/result.h"
#include "engine/events.h"
#include "engine/renewal.h"
#include "engine/spawn.h"

namespace palyra::engine {

// Blocks the signals that are forwarded, for as long as it lives, and reads them from a descriptor.
class ForwardedSignals {
 public:
  static Result<ForwardedSignals> Block();

  ForwardedSignals(ForwardedSignals&& other) noexcept;
  ForwardedSignals& operator=(ForwardedSignals&&) = delete;
  ForwardedSignals(const ForwardedSignals&) = delete;
  ForwardedSignals& operator=(const ForwardedSignals&) = delete;
  ~ForwardedSignals();  // Restores the mask.

  [[nodiscard]] int fd() const { return fd_.get(); }
  // The mask before, which the command is to have.
  [[nodiscard]] const sigset_t& previous_mask() const { return previous_; }

  // Reads one signal and sends it to `pidfd`, unless the terminal sent it: then it reached the
  // whole process group already.
  void ForwardOne(int pidfd) const;

 private:
  ForwardedSignals(UniqueFd fd, const sigset_t& previous)
      : fd_(std::move(fd)), previous_(previous) {}

  UniqueFd fd_;
  sigset_t previous_;
};

enum class WaitEnd { kChildEnded, kDeadline, kRulesChanged, kLimit };

// Something else to serve meanwhile.
struct WaitSource {
  int fd;
  std::function<bool()> on_readable;  // False: it is not waited for any more.
};

struct WaitRequest {
  const Child* child;
  const ForwardedSignals* signals;
  EventRing* events;
  const EventRing::Handler* on_event;
  const EventRing::PathHandler* on_path_event = nullptr;
  std::optional<std::chrono::milliseconds> timeout;
  // Asked after each renewal; null: never.
  const std::function<bool()>* must_end = nullptr;
  // Asked after each source that was served; null: never.
  std::function<bool()> is_over_limit = nullptr;
  RuleRenewal* renewal = nullptr;            // Null: rules that stay as they are.
  std::span<const WaitSource> sources = {};  // NOLINT(readability-redundant-member-init)
};

// Returns when the child has ended (it is not reaped), the deadline has passed, or the run must
// end.
Result<WaitEnd> WaitForChild(const WaitRequest& request);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_SUPERVISOR_H_
