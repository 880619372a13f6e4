// The io_uring behind the relay: accepting, waiting for sockets, closing. Data itself moves by
// splice(2), which io_uring would hand to a worker thread for each call: over loopback it carries
// 1.3 times what that does, or what recv and send by io_uring do.

#ifndef PALYRA_BROKER_RELAY_RING_H_
#define PALYRA_BROKER_RELAY_RING_H_

#include <liburing.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace palyra::broker {

// Of a ring that is not enabled yet: once it is, it takes the operations that RelayRing has and no
// others, no flags of entries, and no io_uring_register(2). seccomp does not see what a ring does.
Result<void> RestrictRing(io_uring& ring);

// No operation refers to memory of the caller, so that whoever asked for one may be gone when it
// completes. Of one thread, the first that calls Start().
class RelayRing {
 public:
  struct Completion {
    uint64_t tag = 0;
    int result = 0;     // Of the operation, or a negative errno.
    bool more = false;  // The operation goes on.
  };

  // kUnsupported where the kernel, or its administrator, has no io_uring with what this needs
  // (6.1).
  static Result<std::unique_ptr<RelayRing>> Create();
  RelayRing(const RelayRing&) = delete;
  RelayRing& operator=(const RelayRing&) = delete;
  // Cancels all that is under way.
  ~RelayRing();

  // Binds the ring to this thread, and restricts it.
  Result<void> Start();

  // Tags are the caller's; 0 is not for use.

  // Accepts connections, non-blocking and close-on-exec, until a completion without `more`.
  void Accept(int listener, uint64_t tag);

  // Completes once with the poll(2) events that came; POLLRDHUP is always among those waited for.
  void Poll(int fd, unsigned events, uint64_t tag);

  // Completes with -ETIME a few milliseconds later.
  void Pause(uint64_t tag);

  // Ends what waits for `fd`, without a completion that matters, and closes it.
  void Close(UniqueFd fd);

  // Submits what was asked for, waits until something completes or `limit` is over, and gives what
  // has completed; valid until the next call.
  Result<std::span<const Completion>> Wait(std::chrono::milliseconds limit);

 private:
  RelayRing() = default;
  io_uring_sqe& NextEntry();

  io_uring ring_ = {};
  bool made_ = false;
  std::vector<Completion> completions_;
};

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_RELAY_RING_H_
