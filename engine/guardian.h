// A process that waits beside the supervisor, so that a run ends even when the supervisor is killed
// with SIGKILL.

#ifndef PALYRA_ENGINE_GUARDIAN_H_
#define PALYRA_ENGINE_GUARDIAN_H_

#include <sys/types.h>

#include <functional>

#include "base/result.h"
#include "base/unique_fd.h"

namespace palyra::engine {

class Guardian {
 public:
  // Forks a process that sleeps until the calling process is gone, then calls `end_run` and exits.
  // It holds copies of the caller's descriptors but the first three, is a session of its own and
  // blocks all signals. The caller must be single-threaded.
  static Result<Guardian> Start(const std::function<void()>& end_run);

  Guardian(Guardian&& other) noexcept;
  Guardian& operator=(Guardian&&) = delete;
  Guardian(const Guardian&) = delete;
  Guardian& operator=(const Guardian&) = delete;
  ~Guardian();  // Dismisses it and waits for its end.

  // Ends the guardian without waiting: the supervisor has ended the run itself.
  void Dismiss() const;

 private:
  Guardian(pid_t pid, UniqueFd alive) : pid_(pid), alive_(std::move(alive)) {}

  pid_t pid_;       // -1 when moved from.
  UniqueFd alive_;  // The pipe's write end: closed by the kernel when the supervisor dies.
};

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_GUARDIAN_H_
