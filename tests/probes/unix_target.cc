#include "tests/probes/unix_target.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "tests/probes/target.h"

namespace palyra::probes {

std::optional<UnixName> ParseUnixName(std::string_view text) {
  UnixName name;
  if (text.empty() || text.size() >= sizeof(name.address.sun_path)) return std::nullopt;
  std::memcpy(name.address.sun_path, text.data(), text.size());
  const bool is_abstract = text[0] == '@';
  if (is_abstract) {
    name.address.sun_path[0] = '\0';
    std::ranges::replace(name.address.sun_path, '#', '\0');
  }
  name.length =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size() + (is_abstract ? 0 : 1));
  return name;
}

Outcome ConnectUnix(int type, const char* text) {
  const auto name = ParseUnixName(text);
  if (!name) return CouldNotTry(EINVAL);
  const UniqueFd fd(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return FromErrno(errno);
  if (connect(fd.get(), name->get(), name->length) != 0) return FromErrno(errno);
  return FromSent(send(fd.get(), kToken.data(), kToken.size(), MSG_NOSIGNAL));
}

int ReceiveDescriptor(int fd) {
  char byte = 0;
  iovec part = {.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control = {};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (recvmsg(fd, &message, MSG_CMSG_CLOEXEC) < 0) return -1;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) {
    // The kernel keeps what a security module denies, and says no more than this.
    errno = (message.msg_flags & MSG_CTRUNC) != 0 ? EACCES : ENODATA;
    return -1;
  }
  int received = -1;
  std::memcpy(&received, CMSG_DATA(header), sizeof(received));
  return received;
}

UniqueFd ReceiveFrom(std::string_view text) {
  const auto name = ParseUnixName(text);
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!name || !fd.valid() || connect(fd.get(), name->get(), name->length) != 0) return {};
  return UniqueFd(ReceiveDescriptor(fd.get()));
}

}  // namespace palyra::probes
