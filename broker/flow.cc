#include "broker/flow.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace palyra::broker {
void Flow::ReleasePipe() {
  if (pipe_ && held_ == 0) pool_.GiveBack(*std::exchange(pipe_, std::nullopt));
}

// The pipe is empty here, so EAGAIN speaks of the source alone.
Flow::Step Flow::Fill(int source) {
  if (!pipe_) pipe_ = pool_.Take();
  if (!pipe_) return Step::kBroken;
  const ssize_t size = splice(source, nullptr, pipe_->input.get(), nullptr, kPipeBytes,
                              SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (size < 0) return errno == EAGAIN || errno == EINTR ? Step::kAgain : Step::kBroken;
  if (size == 0) return Step::kEnd;
  held_ = static_cast<size_t>(size);
  return Step::kMoved;
}

Flow::Step Flow::Drain(int destination) {
  const ssize_t size = splice(pipe_->output.get(), nullptr, destination, nullptr, held_,
                              SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (size < 0) return errno == EAGAIN || errno == EINTR ? Step::kAgain : Step::kBroken;
  held_ -= static_cast<size_t>(size);
  moved_ += static_cast<uint64_t>(size);
  return size > 0 ? Step::kMoved : Step::kBroken;
}

FlowState Flow::Move(int source, int destination) {
  bool probably_all = false;
  for (int turn = 0; turn < kTurns; ++turn) {
    while (held_ > 0) {
      const Step step = Drain(destination);
      if (step == Step::kAgain) return FlowState::kWantsWrite;
      if (step == Step::kBroken) return FlowState::kBroken;
    }
    if (probably_all) break;
    const Step step = Fill(source);
    if (step == Step::kBroken) return FlowState::kBroken;
    if (step == Step::kAgain) break;
    if (step == Step::kEnd) {
      ReleasePipe();
      shutdown(destination, SHUT_WR);
      return FlowState::kEnded;
    }
    probably_all = held_ < kProbablyAll;
  }
  // What the last turn has filled is still to be written.
  if (held_ > 0) return FlowState::kWantsWrite;
  ReleasePipe();
  return FlowState::kWantsRead;
}

}  // namespace palyra::broker
