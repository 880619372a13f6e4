// Pipes that carry bytes from one socket to another without copying them.

#ifndef PALYRA_BROKER_PIPE_POOL_H_
#define PALYRA_BROKER_PIPE_POOL_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "base/unique_fd.h"

namespace palyra::broker {

// What one pipe is given at once at most. Linux gives a new pipe as much room; where a user has too
// many, less.
inline constexpr size_t kPipeBytes = size_t{64} * 1024;

struct Pipe {
  UniqueFd output;  // To read from.
  UniqueFd input;
};

// A connection that waits needs no pipe, so few pipes serve many connections. Of one thread.
class PipePool {
 public:
  // An empty, non-blocking pipe; nullopt if there are too many descriptors.
  std::optional<Pipe> Take();

  // Only an empty pipe may come back; one that is not must be destroyed.
  void GiveBack(Pipe pipe);

 private:
  std::vector<Pipe> idle_;
};

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_PIPE_POOL_H_
