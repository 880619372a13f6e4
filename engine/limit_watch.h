// Watches what a run uses, and says when it has come to a limit.

#ifndef PALYRA_ENGINE_LIMIT_WATCH_H_
#define PALYRA_ENGINE_LIMIT_WATCH_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "engine/cgroup.h"
#include "engine/limit_cgroups.h"
#include "engine/run_limits.h"

namespace palyra::engine {

class LimitWatch {
 public:
  // What is measured, and not held by a controller, is named by what is set in `measured`: memory,
  // swap, processes, CPU time. Borrows the cgroup.
  static Result<LimitWatch> Start(const Cgroup& cgroup, const std::vector<LimitEvents>& events,
                                  const RunLimits& measured);

  // Readable when Serve() has something to do.
  [[nodiscard]] int fd() const { return epoll_.get(); }
  void Serve();

  // Looks once more, when the run's processes are gone.
  void LookAtEnd();

  // Whether the run has used the processor time that is measured.
  [[nodiscard]] bool IsCpuTimeUsed() const;

  // The first limit that the run came to.
  [[nodiscard]] std::optional<LimitKind> hit() const { return hit_; }

 private:
  struct Source {
    LimitEvents events;
    UniqueFd file;     // Of the counter.
    UniqueFd eventfd;  // Valid where that tells.
  };

  LimitWatch(const Cgroup& cgroup, const RunLimits& measured, UniqueFd epoll, UniqueFd timer)
      : cgroup_(&cgroup),
        measured_(measured),
        samples_(measured.memory || measured.processes),
        epoll_(std::move(epoll)),
        timer_(std::move(timer)) {}

  Result<void> Watch(const LimitEvents& events);
  Result<void> WatchMemoryV1(Source& source) const;
  [[nodiscard]] Result<void> Poll(int fd, uint32_t events) const;
  void Look(const Source& source);
  void Measure();
  void Hit(LimitKind kind) {
    if (!hit_) hit_ = kind;
  }
  void Arm(std::chrono::microseconds wait) const;

  const Cgroup* cgroup_;
  RunLimits measured_;
  bool samples_;  // Something has to be looked at again and again.
  UniqueFd epoll_;
  UniqueFd timer_;
  std::vector<Source> sources_;
  std::optional<LimitKind> hit_;
};

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_LIMIT_WATCH_H_
