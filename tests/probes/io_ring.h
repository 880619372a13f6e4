// An io_uring for one request at a time, on raw system calls so that the probe links nothing.

#ifndef PALYRA_TESTS_PROBES_IO_RING_H_
#define PALYRA_TESTS_PROBES_IO_RING_H_

#include <linux/io_uring.h>

#include <cstdint>

#include "base/unique_fd.h"

namespace palyra::probes {

class IoRing {
 public:
  IoRing() = default;
  IoRing(const IoRing&) = delete;
  IoRing& operator=(const IoRing&) = delete;
  ~IoRing();

  // io_uring_setup(2) with those flags, and the mappings; 0 or an errno.
  int Open(uint32_t flags = 0);

  // The credentials of this moment, for requests to name later: their number, or a negative errno.
  int KeepCredentials();

  // Submits `request` and waits for its completion: the result of the operation, or a negative
  // errno of the submission itself.
  int Run(const io_uring_sqe& request);

 private:
  UniqueFd fd_;
  io_uring_params parameters_ = {};
  uint8_t* rings_ = nullptr;
  uint64_t rings_size_ = 0;
  io_uring_sqe* requests_ = nullptr;
  uint64_t requests_size_ = 0;
};

}  // namespace palyra::probes

#endif  // PALYRA_TESTS_PROBES_IO_RING_H_
