#include "engine/hold_channel.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>

namespace palyra::engine {
namespace {

// Room for the one descriptor of a message.
struct Control {
  alignas(cmsghdr) char bytes[CMSG_SPACE(sizeof(int))];
};

// No step of a start has that number, so that a failure is none of these.
constexpr char kHasListener = '\xFF';

}  // namespace

int SendListener(int socket, int listener) {
  char text = kHasListener;
  iovec part = {.iov_base = &text, .iov_len = sizeof(text)};
  Control control = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof(control.bytes);
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(listener));
  std::memcpy(CMSG_DATA(header), &listener, sizeof(listener));
  while (sendmsg(socket, &message, MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

UniqueFd ReceiveListener(int socket) {
  char text = 0;
  ssize_t size = 0;
  do {
    size = recv(socket, &text, sizeof(text), MSG_PEEK);
  } while (size < 0 && errno == EINTR);
  if (size != sizeof(text) || text != kHasListener) return {};
  iovec part = {.iov_base = &text, .iov_len = sizeof(text)};
  Control control = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof(control.bytes);
  if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != sizeof(text)) return {};
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
    return {};
  }
  int listener = -1;
  std::memcpy(&listener, CMSG_DATA(header), sizeof(listener));
  return UniqueFd(listener);
}

}  // namespace palyra::engine
