#include "broker/relay_ring.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

namespace palyra::broker {
namespace {

constexpr unsigned kEntries = 256;
constexpr unsigned kCompletions = 8192;

constexpr std::array kOperations = {IORING_OP_ACCEPT, IORING_OP_ASYNC_CANCEL, IORING_OP_CLOSE,
                                    IORING_OP_POLL_ADD, IORING_OP_TIMEOUT};

}  // namespace

Result<void> RestrictRing(io_uring& ring) {
  std::array<io_uring_restriction, kOperations.size()> restrictions = {};
  for (size_t i = 0; i < kOperations.size(); ++i) {
    restrictions.at(i).opcode = IORING_RESTRICTION_SQE_OP;
    restrictions.at(i).sqe_op = static_cast<uint8_t>(kOperations.at(i));
  }
  const int error =
      -io_uring_register_restrictions(&ring, restrictions.data(), restrictions.size());
  if (error != 0) return FailErrno(error, "cannot restrict io_uring");
  return {};
}

Result<std::unique_ptr<RelayRing>> RelayRing::Create() {
  std::unique_ptr<RelayRing> ring(new RelayRing);
  io_uring_params parameters = {};
  parameters.flags = IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER |
                     IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;
  parameters.cq_entries = kCompletions;
  const int error = -io_uring_queue_init_params(kEntries, &ring->ring_, &parameters);
  if (error == EINVAL || error == ENOSYS || error == EPERM) {
    return Fail(
        ErrorCode::kUnsupported,
        "the relay needs io_uring as of Linux 6.1; see the sysctl kernel.io_uring_disabled");
  }
  if (error != 0) return FailErrno(error, "cannot set io_uring up");
  ring->made_ = true;
  return ring;
}

RelayRing::~RelayRing() {
  if (!made_) return;
  io_uring_submit(&ring_);
  io_uring_queue_exit(&ring_);
}

Result<void> RelayRing::Start() {
  if (Result<void> restricted = RestrictRing(ring_); !restricted) return restricted;
  const int error = -io_uring_enable_rings(&ring_);
  if (error != 0) return FailErrno(error, "cannot start io_uring");
  return {};
}

io_uring_sqe& RelayRing::NextEntry() {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  while (entry == nullptr) {
    const int submitted = io_uring_submit(&ring_);
    // The entries are ours and the ring is of this thread: nothing else can fail.
    if (submitted < 0 && submitted != -EINTR && submitted != -EAGAIN && submitted != -EBUSY) {
      std::abort();
    }
    entry = io_uring_get_sqe(&ring_);
  }
  return *entry;
}

void RelayRing::Accept(int listener, uint64_t tag) {
  io_uring_sqe& entry = NextEntry();
  io_uring_prep_multishot_accept(&entry, listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  io_uring_sqe_set_data64(&entry, tag);
}

void RelayRing::Poll(int fd, unsigned events, uint64_t tag) {
  io_uring_sqe& entry = NextEntry();
  io_uring_prep_poll_add(&entry, fd, events);
  io_uring_sqe_set_data64(&entry, tag);
}

void RelayRing::Pause(uint64_t tag) {
  // Read when the entry is submitted.
  static __kernel_timespec duration = {.tv_sec = 0, .tv_nsec = 5'000'000};
  io_uring_sqe& entry = NextEntry();
  io_uring_prep_timeout(&entry, &duration, 0, 0);
  io_uring_sqe_set_data64(&entry, tag);
}

void RelayRing::Close(UniqueFd fd) {
  if (!fd.valid()) return;
  const int number = fd.Release();
  io_uring_sqe& cancel = NextEntry();
  io_uring_prep_cancel_fd(&cancel, number, IORING_ASYNC_CANCEL_ALL);
  io_uring_sqe_set_data64(&cancel, 0);
  io_uring_sqe& close = NextEntry();
  io_uring_prep_close(&close, number);
  io_uring_sqe_set_data64(&close, 0);
}

Result<std::span<const RelayRing::Completion>> RelayRing::Wait(std::chrono::milliseconds limit) {
  __kernel_timespec time = {.tv_sec = limit.count() / 1000,
                            .tv_nsec = (limit.count() % 1000) * 1'000'000};
  io_uring_cqe* first = nullptr;
  const int submitted = io_uring_submit_and_wait_timeout(&ring_, &first, 1, &time, nullptr);
  if (submitted < 0 && submitted != -ETIME && submitted != -EINTR && submitted != -EBUSY &&
      submitted != -EAGAIN) {
    return FailErrno(-submitted, "cannot wait for io_uring");
  }
  completions_.clear();
  std::array<io_uring_cqe*, kEntries> batch = {};
  const unsigned count = io_uring_peek_batch_cqe(&ring_, batch.data(), batch.size());
  for (unsigned i = 0; i < count; ++i) {
    const io_uring_cqe& done = *batch.at(i);
    if (done.user_data == 0) continue;
    completions_.push_back({done.user_data, done.res, (done.flags & IORING_CQE_F_MORE) != 0});
  }
  io_uring_cq_advance(&ring_, count);
  return std::span<const Completion>(completions_);
}

}  // namespace palyra::broker
