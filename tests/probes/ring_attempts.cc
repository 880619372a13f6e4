// Files by io_uring, whose calls neither seccomp nor a tracer of system calls sees.

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "base/unique_fd.h"
#include "tests/probes/attempt.h"
#include "tests/probes/io_ring.h"
#include "tests/probes/unix_target.h"

namespace palyra::probes {
namespace {

// Of <linux/io_uring.h> since Linux 6.9.
constexpr uint8_t kFtruncate = 55;

uint64_t Pointer(const void* place) { return reinterpret_cast<uintptr_t>(place); }

// 0 or an errno; a descriptor that it opens is closed. `setup`: of io_uring_setup(2).
int RunOne(const io_uring_sqe& request, uint32_t setup = 0) {
  IoRing ring;
  if (const int failure = ring.Open(setup); failure != 0) return failure;
  const int result = ring.Run(request);
  if (result < 0) return -result;
  if (result > STDERR_FILENO) close(result);
  return 0;
}

io_uring_sqe At(uint8_t operation, const std::string& path) {
  io_uring_sqe request = {};
  request.opcode = operation;
  request.fd = AT_FDCWD;
  request.addr = Pointer(path.c_str());
  return request;
}

io_uring_sqe At(uint8_t operation, const std::string& from, const std::string& to) {
  io_uring_sqe request = At(operation, from);
  request.len = static_cast<uint32_t>(AT_FDCWD);
  request.off = Pointer(to.c_str());
  return request;
}

template <int kFlags>
int Open(Words words) {
  io_uring_sqe request = At(IORING_OP_OPENAT, words[0]);
  request.open_flags = kFlags | O_CLOEXEC;
  request.len = 0644;
  return RunOne(request);
}

// By a worker of the kernel's, which is not the task that asks.
int OpenByWorker(Words words) {
  io_uring_sqe request = At(IORING_OP_OPENAT, words[0]);
  request.open_flags = O_RDONLY | O_CLOEXEC;
  request.flags = IOSQE_ASYNC;
  return RunOne(request);
}

// By the thread of the kernel's that looks after the ring.
int OpenByPoller(Words words) {
  io_uring_sqe request = At(IORING_OP_OPENAT, words[0]);
  request.open_flags = O_RDONLY | O_CLOEXEC;
  return RunOne(request, IORING_SETUP_SQPOLL);
}

int OpenAt2(Words words) {
  open_how how = {};
  how.flags = O_RDONLY | O_CLOEXEC;
  io_uring_sqe request = At(IORING_OP_OPENAT2, words[0]);
  request.len = sizeof(how);
  request.off = Pointer(&how);
  return RunOne(request);
}

int Unlink(Words words) { return RunOne(At(IORING_OP_UNLINKAT, words[0])); }

int RemoveDirectory(Words words) {
  io_uring_sqe request = At(IORING_OP_UNLINKAT, words[0]);
  request.unlink_flags = AT_REMOVEDIR;
  return RunOne(request);
}

int Rename(Words words) { return RunOne(At(IORING_OP_RENAMEAT, words[0], words[1])); }

int Exchange(Words words) {
  io_uring_sqe request = At(IORING_OP_RENAMEAT, words[0], words[1]);
  request.rename_flags = RENAME_EXCHANGE;
  return RunOne(request);
}

int Link(Words words) { return RunOne(At(IORING_OP_LINKAT, words[0], words[1])); }

int MakeDirectory(Words words) {
  io_uring_sqe request = At(IORING_OP_MKDIRAT, words[0]);
  request.len = 0755;
  return RunOne(request);
}

int MakeSymlink(Words words) {
  io_uring_sqe request = At(IORING_OP_SYMLINKAT, words[0]);
  request.addr2 = Pointer(words[1].c_str());
  return RunOne(request);
}

// Its name and value; the place of both is that of setxattr(2) but for the path.
io_uring_sqe AttributeRequest(uint8_t operation) {
  io_uring_sqe request = {};
  request.opcode = operation;
  request.addr = Pointer("user.palyra");
  request.addr2 = Pointer("x");
  request.len = 1;
  return request;
}

int SetAttribute(Words words) {
  io_uring_sqe request = AttributeRequest(IORING_OP_SETXATTR);
  request.addr3 = Pointer(words[0].c_str());
  return RunOne(request);
}

int SetAttributeOpen(Words words) {
  const UniqueFd fd(open(words[0].c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return ENOTRECOVERABLE;
  io_uring_sqe request = AttributeRequest(IORING_OP_FSETXATTR);
  request.fd = fd.get();
  return RunOne(request);
}

// Of a file that a server sends; by credentials that are kept, and equal, but not those of the
// task.
int SetAttributeOfReceived(Words words) {
  const UniqueFd received = ReceiveFrom(words[0]);
  IoRing ring;
  if (!received.valid() || ring.Open() != 0) return ENOTRECOVERABLE;
  const int kept = ring.KeepCredentials();
  if (kept < 0 || setreuid(getuid(), geteuid()) != 0) return ENOTRECOVERABLE;
  io_uring_sqe request = AttributeRequest(IORING_OP_FSETXATTR);
  request.fd = received.get();
  request.personality = static_cast<uint16_t>(kept);
  return -ring.Run(request);
}

constexpr std::array kAttempts = {
    Attempt{"ring-open-read", 1, Open<O_RDONLY>},
    Attempt{"ring-open-write", 1, Open<O_WRONLY>},
    Attempt{"ring-open-truncate", 1, Open<O_WRONLY | O_TRUNC>},
    Attempt{"ring-create", 1, Open<O_CREAT | O_EXCL | O_WRONLY>},
    Attempt{"ring-open-by-worker", 1, OpenByWorker},
    Attempt{"ring-open-by-poller", 1, OpenByPoller},
    Attempt{"ring-open-at2", 1, OpenAt2},
    Attempt{"ring-unlink", 1, Unlink},
    Attempt{"ring-rmdir", 1, RemoveDirectory},
    Attempt{"ring-rename", 2, Rename},
    Attempt{"ring-exchange", 2, Exchange},
    Attempt{"ring-link", 2, Link},
    Attempt{"ring-mkdir", 1, MakeDirectory},
    Attempt{"ring-symlink", 2, MakeSymlink},
    Attempt{"ring-setxattr", 1, SetAttribute},
    Attempt{"ring-fsetxattr", 1, SetAttributeOpen},
    Attempt{"ring-setxattr-received", 1, SetAttributeOfReceived},
};

}  // namespace

std::span<const Attempt> RingAttempts() { return kAttempts; }

int TruncateByRing(int fd) {
  io_uring_sqe request = {};
  request.opcode = kFtruncate;
  request.fd = fd;
  return RunOne(request);
}

}  // namespace palyra::probes
