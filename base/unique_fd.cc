#include "base/unique_fd.h"

#include <unistd.h>

#include <cerrno>

namespace palyra::base {

void UniqueFd::Reset(int fd) {
  if (fd_ >= 0 && fd_ != fd) {
    const int saved_errno = errno;
    close(fd_);
    errno = saved_errno;
  }
  fd_ = fd;
}

}  // namespace palyra::base
