// What the relay's process cannot do any more, by system call and by io_uring.

#include "broker/relay_sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <liburing.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <functional>
#include <string>

#include "base/unique_fd.h"
#include "broker/relay_ring.h"
#include "tests/support/require_feature.h"

namespace palyra::tests {
namespace {

constexpr int kNotEntered = 201;
constexpr int kWorked = 202;

// The errno of `call` in a process that has entered the sandbox; kWorked if it fails with none.
int ErrnoInside(const std::function<long()>& call) {
  const pid_t child = fork();
  if (child == 0) {
    if (!broker::EnterRelaySandbox()) _exit(kNotEntered);
    // Not _exit(2): before that the address sanitizer asks for what the sandbox denies.
    syscall(SYS_exit_group, call() < 0 ? errno : kWorked);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

class RelaySandbox : public testing::Test {
 protected:
  void SetUp() override { PALYRA_REQUIRE_FEATURE(Root()); }
};

TEST_F(RelaySandbox, LeavesWhatARelayCalls) {
  EXPECT_EQ(ErrnoInside([] { return socket(AF_INET, SOCK_STREAM, 0); }), kWorked);
  EXPECT_EQ(ErrnoInside([] { return socket(AF_INET6, SOCK_STREAM, 0); }), kWorked);
  EXPECT_EQ(ErrnoInside([] {
              std::array<int, 2> ends = {};
              return pipe2(ends.data(), O_CLOEXEC);
            }),
            kWorked);
  EXPECT_EQ(ErrnoInside([] { return syscall(SYS_io_uring_enter, -1, 0, 0, 0, nullptr, 0); }),
            EBADF);
}

TEST_F(RelaySandbox, LeavesNothingElse) {
  const struct {
    const char* what;
    std::function<long()> call;
  } denied[] = {
      {"open", [] { return open("/dev/null", O_RDONLY | O_CLOEXEC); }},
      {"execve", [] { return execl("/bin/true", "true", nullptr); }},
      {"fork", [] { return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }},
      {"unix socket", [] { return socket(AF_UNIX, SOCK_STREAM, 0); }},
      {"netlink socket", [] { return socket(AF_NETLINK, SOCK_RAW, 0); }},
      {"packet socket", [] { return socket(AF_PACKET, SOCK_RAW, 0); }},
      {"bind", [] { return bind(-1, nullptr, 0); }},
      {"sendmsg, with descriptors", [] { return sendmsg(-1, nullptr, 0); }},
      {"io_uring_setup", [] { return syscall(SYS_io_uring_setup, 0, nullptr); }},
      {"io_uring_register", [] { return syscall(SYS_io_uring_register, -1, 0, nullptr, 0); }},
      {"bpf", [] { return syscall(SYS_bpf, 0, nullptr, 0); }},
      {"ptrace", [] { return syscall(SYS_ptrace, 0, 0, 0, 0); }},
      {"F_SETOWN, whom a socket signals", [] { return fcntl(0, F_SETOWN, getppid()); }},
      {"F_SETSIG, with which signal", [] { return fcntl(0, F_SETSIG, SIGKILL); }},
      {"F_DUPFD", [] { return fcntl(0, F_DUPFD, 0); }},
      {"kill", [] { return kill(getppid(), 0); }},
      {"setuid", [] { return setuid(0); }},
      {"setrlimit",
       [] {
         const rlimit none = {};
         return setrlimit(RLIMIT_CORE, &none);
       }},
  };
  for (const auto& one : denied) EXPECT_EQ(ErrnoInside(one.call), EPERM) << one.what;
}

TEST_F(RelaySandbox, TakesDescriptorsForAllConnections) {
  EXPECT_EQ(ErrnoInside([] {
              for (int i = 0; i < 6 * 1024; ++i) {
                if (socket(AF_INET, SOCK_STREAM, 0) < 0) return -1;
              }
              return 0;
            }),
            kWorked);
}

// What a ring says to one entry: 0 or more, or a negative errno.
int ResultOf(io_uring& ring, const std::function<void(io_uring_sqe*)>& prepare) {
  io_uring_sqe* entry = io_uring_get_sqe(&ring);
  prepare(entry);
  EXPECT_GE(io_uring_submit_and_wait(&ring, 1), 0);
  io_uring_cqe* done = nullptr;
  if (io_uring_peek_cqe(&ring, &done) != 0) return -ETIME;
  const int result = done->res;
  io_uring_cqe_seen(&ring, done);
  return result;
}

class RelayRingRestrictions : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    ASSERT_EQ(io_uring_queue_init(8, &ring_, IORING_SETUP_R_DISABLED), 0);
    if (GetParam()) {
      ASSERT_TRUE(broker::RestrictRing(ring_));
    }
    ASSERT_EQ(io_uring_enable_rings(&ring_), 0);
  }
  void TearDown() override { io_uring_queue_exit(&ring_); }

  // As it is for a ring of the relay, and as it is without restrictions.
  [[nodiscard]] static int Denied(int otherwise) { return GetParam() ? -EACCES : otherwise; }

  io_uring ring_ = {};
};

TEST_P(RelayRingRestrictions, LeaveNoOtherOperations) {
  EXPECT_EQ(ResultOf(ring_, [](io_uring_sqe* e) { io_uring_prep_nop(e); }), Denied(0));
  EXPECT_EQ(ResultOf(ring_,
                     [](io_uring_sqe* e) {
                       io_uring_prep_openat(e, AT_FDCWD, "/nonexistent", O_RDONLY, 0);
                     }),
            Denied(-ENOENT));
  EXPECT_EQ(ResultOf(ring_, [](io_uring_sqe* e) { io_uring_prep_socket(e, -1, 0, 0, 0); }),
            Denied(-EAFNOSUPPORT));
  EXPECT_EQ(ResultOf(ring_, [](io_uring_sqe* e) { io_uring_prep_connect(e, -1, nullptr, 0); }),
            Denied(-EBADF));
  EXPECT_EQ(ResultOf(ring_, [](io_uring_sqe* e) { io_uring_prep_read(e, -1, nullptr, 0, 0); }),
            Denied(-EBADF));
}

TEST_P(RelayRingRestrictions, LeaveTheRelaysOperations) {
  EXPECT_EQ(ResultOf(ring_, [](io_uring_sqe* e) { io_uring_prep_poll_add(e, -1, 0); }), -EBADF);
  EXPECT_EQ(
      ResultOf(ring_, [](io_uring_sqe* e) { io_uring_prep_accept(e, -1, nullptr, nullptr, 0); }),
      -EBADF);
  EXPECT_EQ(ResultOf(ring_, [](io_uring_sqe* e) { io_uring_prep_close(e, 1'000'000); }), -EBADF);
}

TEST_P(RelayRingRestrictions, LeaveNoFlagsAndNoRegistering) {
  EXPECT_EQ(ResultOf(ring_,
                     [](io_uring_sqe* e) {
                       io_uring_prep_close(e, 1'000'000);
                       e->flags |= IOSQE_ASYNC;
                     }),
            Denied(-EBADF));
  const int file = STDIN_FILENO;
  EXPECT_EQ(io_uring_register_files(&ring_, &file, 1), Denied(0));
}

INSTANTIATE_TEST_SUITE_P(WithAndWithout, RelayRingRestrictions, testing::Bool());

}  // namespace
}  // namespace palyra::tests
