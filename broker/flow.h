// One direction of a connection: bytes from one socket to the other, with the end of the stream.

#ifndef PALYRA_BROKER_FLOW_H_
#define PALYRA_BROKER_FLOW_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "broker/pipe_pool.h"

namespace palyra::broker {

enum class FlowState : uint8_t {
  kWantsRead,   // Goes on when the source can be read, or once more after other connections.
  kWantsWrite,  // Goes on when the destination can be written.
  kEnded,       // The source has ended and the destination was told so.
  kBroken,      // A reset, or no pipe left.
};

// How often a flow moves something before others have their turn.
inline constexpr int kTurns = 16;

// After less than this the source is most likely empty: better to wait than to ask.
inline constexpr size_t kProbablyAll = size_t{16} * 1024;

// Bytes that nobody looks at. Holds at most kPipeBytes that were read and not yet written.
class Flow {
 public:
  // `pool` must outlive the flow.
  explicit Flow(PipePool& pool) : pool_(pool) {}

  // Moves what there is between two non-blocking TCP sockets. SIGPIPE must be blocked. Not to be
  // called again after kEnded or kBroken.
  FlowState Move(int source, int destination);

  // Bytes that were written since the beginning.
  [[nodiscard]] uint64_t moved() const { return moved_; }

 private:
  enum class Step : uint8_t { kMoved, kAgain, kEnd, kBroken };
  Step Fill(int source);
  Step Drain(int destination);
  void ReleasePipe();

  PipePool& pool_;
  std::optional<Pipe> pipe_;
  size_t held_ = 0;  // Bytes in the pipe.
  uint64_t moved_ = 0;
};

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_FLOW_H_
