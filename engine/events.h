// What was decided for a run, as its BPF programs report them through a ring buffer.

#ifndef PALYRA_ENGINE_EVENTS_H_
#define PALYRA_ENGINE_EVENTS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "bpf/abi.h"
#include "engine/kernel_objects.h"

struct ring_buffer;

namespace palyra::engine {

// A denial about a file, program or process.
struct PathEvent {
  palyra_path_event event;
  std::string path;        // As the kernel resolved it, any bytes; empty where it has none.
  std::string executable;  // Of who was denied; the end of a long one.
};

// The ring buffer of one supervisor, taken from a pool that grows on demand and is kept: adding a
// ring to the pool waits for an RCU grace period (8 ms and more), taking one that is there does
// not.
class EventRing {
 public:
  using Handler = std::function<void(const palyra_event&)>;
  using PathHandler = std::function<void(const PathEvent&)>;

  // Takes a free ring for the run with cgroup id `run`. Events of other runs are never passed on.
  static Result<EventRing> Claim(const KernelObjects& objects, uint64_t run);

  EventRing(EventRing&& other) noexcept;
  EventRing& operator=(EventRing&&) = delete;
  EventRing(const EventRing&) = delete;
  EventRing& operator=(const EventRing&) = delete;
  ~EventRing();  // Gives the ring back.

  // What palyra_run.ring must be.
  [[nodiscard]] uint32_t index() const { return index_; }

  // Readable (EPOLLIN) when there are events.
  [[nodiscard]] int epoll_fd() const;

  // Passes what is there to the handlers and returns without waiting; at most `most` events, so
  // that a flood of denials cannot hold up the caller. Without `on_path` those about files,
  // programs and processes are dropped.
  void Drain(const Handler& handler, int most, const PathHandler& on_path = nullptr);

 private:
  struct Reader;

  EventRing(const KernelObjects& objects, uint32_t index, std::unique_ptr<Reader> reader);

  const KernelObjects* objects_;  // Null when moved from.
  uint32_t index_;
  std::unique_ptr<Reader> reader_;
};

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_EVENTS_H_
