#include "tests/unit/engine/bpf_fault.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <stdexcept>

#include "base/unique_fd.h"

namespace palyra::engine {
namespace {

// Every bpf(2) call waits for the listener's word.
int InstallListener() {
  std::array<sock_filter, 4> filter = {{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_bpf, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog program = {.len = filter.size(), .filter = filter.data()};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return static_cast<int>(
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

union ControlMessage {
  std::array<char, CMSG_SPACE(sizeof(int))> bytes;
  cmsghdr alignment;
};

void SendDescriptor(int channel, int fd) {
  char byte = 'f';
  iovec part = {.iov_base = &byte, .iov_len = 1};
  ControlMessage control = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  if (sendmsg(channel, &message, 0) < 0) _exit(126);
}

UniqueFd ReceiveDescriptor(int channel) {
  char byte = 0;
  iovec part = {.iov_base = &byte, .iov_len = 1};
  ControlMessage control = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  if (recvmsg(channel, &message, MSG_CMSG_CLOEXEC) <= 0) return {};
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr) return {};
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
  return UniqueFd(fd);
}

void Answer(int listener, uint64_t id, int error) {
  seccomp_notif_resp response = {};
  response.id = id;
  response.error = -error;
  if (error == 0) response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

// Until the child is gone, which its pidfd says: before 6.11 a listener hangs up only once the
// child has been reaped.
int AnswerCalls(int listener, pid_t child, Fault fault, int at) {
  const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
  int calls = 0;
  while (true) {
    std::array<pollfd, 2> waited = {{{.fd = listener, .events = POLLIN, .revents = 0},
                                     {.fd = pidfd.get(), .events = POLLIN, .revents = 0}}};
    if (poll(waited.data(), waited.size(), -1) < 0 && errno == EINTR) continue;
    if ((waited[0].revents & POLLIN) == 0) return calls;
    seccomp_notif call = {};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) continue;
    const bool is_it = calls == at && fault != Fault::kNone;
    if (is_it && fault == Fault::kKilled) {
      kill(child, SIGKILL);
      return calls;
    }
    ++calls;
    Answer(listener, call.id, is_it ? ENOMEM : 0);
  }
}

}  // namespace

Faulted RunWithFault(const std::function<int()>& body, Fault fault, int at) {
  std::array<int, 2> ends = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw std::runtime_error("no socket pair");
  }
  const UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  const pid_t child = fork();
  if (child == 0) {
    const int listener = InstallListener();
    if (listener < 0) _exit(127);
    SendDescriptor(theirs.get(), listener);
    close(listener);
    _exit(body());
  }
  theirs.Reset();
  const UniqueFd listener = ReceiveDescriptor(ours.get());
  Faulted faulted;
  if (listener.valid()) faulted.calls = AnswerCalls(listener.get(), child, fault, at);
  int status = 0;
  waitpid(child, &status, 0);
  if (!listener.valid()) throw std::runtime_error("no seccomp listener");
  faulted.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return faulted;
}

}  // namespace palyra::engine
