#include "tests/probes/io_ring.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

namespace palyra::probes {
namespace {

std::atomic_ref<uint32_t> Word(uint8_t* rings, uint32_t offset) {
  return std::atomic_ref<uint32_t>(*reinterpret_cast<uint32_t*>(rings + offset));
}

}  // namespace

IoRing::~IoRing() {
  if (rings_ != nullptr) munmap(rings_, rings_size_);
  if (requests_ != nullptr) munmap(requests_, requests_size_);
}

int IoRing::Open(uint32_t flags) {
  constexpr unsigned kEntries = 4;
  parameters_.flags = flags;
  fd_.Reset(static_cast<int>(syscall(SYS_io_uring_setup, kEntries, &parameters_)));
  if (!fd_.valid()) return errno;
  if ((parameters_.features & IORING_FEAT_SINGLE_MMAP) == 0) return ENOSYS;

  rings_size_ =
      std::max<uint64_t>(parameters_.sq_off.array + parameters_.sq_entries * sizeof(uint32_t),
                         parameters_.cq_off.cqes + parameters_.cq_entries * sizeof(io_uring_cqe));
  requests_size_ = parameters_.sq_entries * sizeof(io_uring_sqe);
  const auto map = [this](uint64_t size, off_t what) -> void* {
    void* mapped =
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_.get(), what);
    return mapped == MAP_FAILED ? nullptr : mapped;
  };
  rings_ = static_cast<uint8_t*>(map(rings_size_, IORING_OFF_SQ_RING));
  requests_ = static_cast<io_uring_sqe*>(map(requests_size_, IORING_OFF_SQES));
  return rings_ == nullptr || requests_ == nullptr ? ENOMEM : 0;
}

int IoRing::KeepCredentials() {
  const long number =
      syscall(SYS_io_uring_register, fd_.get(), IORING_REGISTER_PERSONALITY, nullptr, 0);
  return number < 0 ? -errno : static_cast<int>(number);
}

int IoRing::Run(const io_uring_sqe& request) {
  auto tail = Word(rings_, parameters_.sq_off.tail);
  const uint32_t slot = tail.load() & (parameters_.sq_entries - 1);
  requests_[slot] = request;
  Word(rings_, parameters_.sq_off.array + slot * static_cast<uint32_t>(sizeof(uint32_t)))
      .store(slot);
  tail.fetch_add(1);
  // The latter matters where the kernel has a thread of its own for the ring.
  constexpr unsigned kFlags = IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP;
  if (syscall(SYS_io_uring_enter, fd_.get(), 1, 1, kFlags, nullptr, 0) < 0) return -errno;
  auto head = Word(rings_, parameters_.cq_off.head);
  if (head.load() == Word(rings_, parameters_.cq_off.tail).load()) return -EAGAIN;
  const uint32_t done = head.load() & (parameters_.cq_entries - 1);
  const int result = reinterpret_cast<io_uring_cqe*>(rings_ + parameters_.cq_off.cqes)[done].res;
  head.fetch_add(1);
  return result;
}

}  // namespace palyra::probes
