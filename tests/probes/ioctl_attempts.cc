// Requests by ioctl(2) and fcntl(2) that change a file, make names, or have signals sent.

#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <linux/fsverity.h>
#include <linux/msdos_fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>

#include "base/unique_fd.h"
#include "tests/probes/attempt.h"

namespace palyra::probes {
namespace {

// Of a file that is open to be read; what it is told is all zero.
template <unsigned long kCommand>
int Request(Words words) {
  alignas(8) std::array<char, 8192> argument = {};
  const UniqueFd fd(open(words[0].c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return ENOTRECOVERABLE;
  return ErrnoOf(ioctl(fd.get(), kCommand, argument.data()));
}

// A terminal of its own, which nobody else has a part in.
template <int (*kChange)(int)>
int OfTerminal(Words) {
  const UniqueFd fd(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  return fd.valid() ? kChange(fd.get()) : ENOTRECOVERABLE;
}

template <int (*kChange)(int)>
int OfPipe(Words) {
  std::array<int, 2> ends = {-1, -1};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return ENOTRECOVERABLE;
  const UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  return kChange(read_end.get());
}

int SignalInput(int fd) { return ErrnoOf(fcntl(fd, F_SETFL, O_ASYNC)); }

int SignalInputByRequest(int fd) {
  int on = 1;
  return ErrnoOf(ioctl(fd, FIOASYNC, &on));
}

constexpr std::array kAttempts = {
    Attempt{"set-flags", 1, Request<FS_IOC_SETFLAGS>},
    Attempt{"set-extended-flags", 1, Request<FS_IOC_FSSETXATTR>},
    Attempt{"set-version", 1, Request<FS_IOC_SETVERSION>},
    Attempt{"enable-verity", 1, Request<FS_IOC_ENABLE_VERITY>},
    Attempt{"set-fat-attributes", 1, Request<FAT_IOCTL_SET_ATTRIBUTES>},
    Attempt{"subvolume-create", 1, Request<BTRFS_IOC_SUBVOL_CREATE>},
    Attempt{"subvolume-create-v2", 1, Request<BTRFS_IOC_SUBVOL_CREATE_V2>},
    Attempt{"snapshot-create", 1, Request<BTRFS_IOC_SNAP_CREATE>},
    Attempt{"snapshot-create-v2", 1, Request<BTRFS_IOC_SNAP_CREATE_V2>},
    Attempt{"snapshot-destroy", 1, Request<BTRFS_IOC_SNAP_DESTROY>},
    Attempt{"snapshot-destroy-v2", 1, Request<BTRFS_IOC_SNAP_DESTROY_V2>},
    Attempt{"subvolume-flags", 1, Request<BTRFS_IOC_SUBVOL_SETFLAGS>},
    Attempt{"signal-input", 0, OfTerminal<SignalInput>},
    Attempt{"signal-input-by-request", 0, OfTerminal<SignalInputByRequest>},
    Attempt{"signal-pipe", 0, OfPipe<SignalInput>},
    Attempt{"signal-pipe-by-request", 0, OfPipe<SignalInputByRequest>},
};

}  // namespace

std::span<const Attempt> IoctlAttempts() { return kAttempts; }

}  // namespace palyra::probes
