#include "engine/bound_sockets.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>

#include "base/unique_fd.h"

namespace palyra::engine {
namespace {

constexpr uint32_t kEveryState = 0xFFFFFFFF;

Result<void> Ask(int fd) {
  struct {
    nlmsghdr header;
    unix_diag_req body;
  } request = {};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.body.sdiag_family = AF_UNIX;
  request.body.udiag_states = kEveryState;
  request.body.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS;
  if (send(fd, &request, sizeof(request), 0) == sizeof(request)) return {};
  return FailErrno(errno, "cannot ask for unix sockets");
}

// The inode and the path of a socket that has both.
std::optional<std::pair<uint32_t, std::string>> ReadSocket(const nlmsghdr& message) {
  std::optional<uint32_t> inode;
  std::string path;
  const auto* body = static_cast<const unix_diag_msg*>(NLMSG_DATA(&message));
  const auto* attribute = reinterpret_cast<const rtattr*>(body + 1);
  int left = static_cast<int>(message.nlmsg_len - NLMSG_LENGTH(sizeof(*body)));
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
    const size_t size = RTA_PAYLOAD(attribute);
    if (attribute->rta_type == UNIX_DIAG_VFS && size >= sizeof(unix_diag_vfs)) {
      unix_diag_vfs vfs;
      std::memcpy(&vfs, RTA_DATA(attribute), sizeof(vfs));
      inode = vfs.udiag_vfs_ino;
    }
    if (attribute->rta_type == UNIX_DIAG_NAME) {
      const std::string_view name(static_cast<const char*>(RTA_DATA(attribute)), size);
      path = name.substr(0, name.find('\0'));
    }
  }
  if (!inode || path.empty()) return std::nullopt;
  return std::pair(*inode, path);
}

}  // namespace

Result<BoundSockets> BoundSockets::Read() {
  const UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!fd.valid()) return FailErrno(errno, "cannot ask the kernel for unix sockets");
  if (Result<void> asked = Ask(fd.get()); !asked) return std::unexpected(asked.error());
  BoundSockets sockets;
  alignas(nlmsghdr) std::array<char, 32768> buffer;
  while (true) {
    const ssize_t size = recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return FailErrno(errno, "cannot read the kernel's unix sockets");
    auto left = static_cast<size_t>(size);
    for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
         NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type == NLMSG_DONE) return sockets;
      if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY) {
        return Fail(ErrorCode::kUnsupported,
                    "this kernel cannot tell to what unix sockets are bound (CONFIG_UNIX_DIAG)");
      }
      if (auto socket = ReadSocket(*message)) sockets.bound_.insert(*std::move(socket));
    }
  }
}

}  // namespace palyra::engine
