// Ways to reach a unix socket. A NAME is a path, or "@" and an abstract name.

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string_view>

#include "tests/probes/io_ring.h"
#include "tests/probes/target.h"

namespace palyra::probes {
namespace {

struct UnixName {
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  socklen_t length = 0;

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

std::optional<UnixName> ParseName(std::string_view text) {
  UnixName name;
  if (text.empty() || text.size() >= sizeof(name.address.sun_path)) return std::nullopt;
  std::memcpy(name.address.sun_path, text.data(), text.size());
  const bool is_abstract = text[0] == '@';
  if (is_abstract) name.address.sun_path[0] = '\0';
  name.length =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size() + (is_abstract ? 0 : 1));
  return name;
}

std::optional<int> ParseType(std::string_view text) {
  if (text == "stream") return SOCK_STREAM;
  if (text == "dgram") return SOCK_DGRAM;
  if (text == "seqpacket") return SOCK_SEQPACKET;
  return std::nullopt;
}

Outcome ConnectTo(int type, const char* text) {
  const auto name = ParseName(text);
  if (!name) return CouldNotTry(EINVAL);
  const UniqueFd fd(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return FromErrno(errno);
  if (connect(fd.get(), name->get(), name->length) != 0) return FromErrno(errno);
  return FromSent(send(fd.get(), kToken.data(), kToken.size(), MSG_NOSIGNAL));
}

Outcome Connect(Arguments arguments) {
  const auto type = ParseType(arguments[0]);
  return type ? ConnectTo(*type, arguments[1]) : CouldNotTry(EINVAL);
}

Outcome SendTo(Arguments arguments) {
  const auto name = ParseName(arguments[0]);
  const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!name || !fd.valid()) return CouldNotTry(EINVAL);
  return FromSent(
      sendto(fd.get(), kToken.data(), kToken.size(), MSG_NOSIGNAL, name->get(), name->length));
}

msghdr MessageTo(UnixName& name, iovec& part) {
  part = {.iov_base = const_cast<char*>(kToken.data()), .iov_len = kToken.size()};
  msghdr message = {};
  message.msg_name = &name.address;
  message.msg_namelen = name.length;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  return message;
}

// With a descriptor: what is sent is more than bytes.
Outcome SendMsg(Arguments arguments) {
  auto name = ParseName(arguments[0]);
  const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!name || !fd.valid()) return CouldNotTry(EINVAL);
  iovec part;
  msghdr message = MessageTo(*name, part);
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control = {};
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int passed = STDIN_FILENO;
  std::memcpy(CMSG_DATA(header), &passed, sizeof(passed));
  return FromSent(sendmsg(fd.get(), &message, MSG_NOSIGNAL));
}

Outcome SendMmsg(Arguments arguments) {
  auto name = ParseName(arguments[0]);
  const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!name || !fd.valid()) return CouldNotTry(EINVAL);
  iovec part;
  mmsghdr message = {.msg_hdr = MessageTo(*name, part), .msg_len = 0};
  const int sent = sendmmsg(fd.get(), &message, 1, MSG_NOSIGNAL);
  return sent == 1 ? Allowed() : FromErrno(errno);
}

Outcome RingConnect(Arguments arguments) {
  const auto name = ParseName(arguments[0]);
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!name || !fd.valid()) return CouldNotTry(EINVAL);
  IoRing ring;
  if (const int error = ring.Open(); error != 0) return FromErrno(error);
  io_uring_sqe request = {};
  request.opcode = IORING_OP_CONNECT;
  request.fd = fd.get();
  request.addr = reinterpret_cast<uintptr_t>(name->get());
  request.off = name->length;
  const int result = ring.Run(request);
  if (result < 0) return FromErrno(-result);
  return FromSent(send(fd.get(), kToken.data(), kToken.size(), MSG_NOSIGNAL));
}

Outcome ConnectRelative(Arguments arguments) {
  if (chdir(arguments[0]) != 0) return CouldNotTry(errno, "chdir");
  return ConnectTo(SOCK_STREAM, arguments[1]);
}

Outcome ConnectLinked(Arguments arguments) {
  unlink(arguments[0]);
  if (symlink(arguments[1], arguments[0]) != 0) return CouldNotTry(errno, "symlink");
  const Outcome outcome = ConnectTo(SOCK_STREAM, arguments[0]);
  unlink(arguments[0]);
  return outcome;
}

// LINK to a directory, and NAME below it.
Outcome ConnectBelowLink(Arguments arguments) {
  unlink(arguments[0]);
  if (symlink(arguments[1], arguments[0]) != 0) return CouldNotTry(errno, "symlink");
  std::array<char, 108> path = {};
  std::snprintf(path.data(), path.size(), "%s/%s", arguments[0], arguments[2]);
  const Outcome outcome = ConnectTo(SOCK_STREAM, path.data());
  unlink(arguments[0]);
  return outcome;
}

// The permitted PATH, which this may rename, becomes a link to TARGET.
Outcome ConnectSwapped(Arguments arguments) {
  std::array<char, 120> aside = {};
  std::snprintf(aside.data(), aside.size(), "%s.aside", arguments[0]);
  if (rename(arguments[0], aside.data()) != 0) return CouldNotTry(errno, "rename");
  Outcome outcome = CouldNotTry(EINVAL, "symlink");
  if (symlink(arguments[1], arguments[0]) == 0) outcome = ConnectTo(SOCK_STREAM, arguments[0]);
  unlink(arguments[0]);
  if (rename(aside.data(), arguments[0]) != 0) return CouldNotTry(errno, "rename back");
  return outcome;
}

// A server of this process, and a client that is a child of it.
Outcome OwnServer(Arguments arguments) {
  const auto name = ParseName(arguments[0]);
  const UniqueFd server(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!name || !server.valid()) return CouldNotTry(EINVAL);
  if (arguments[0][0] != '@') unlink(arguments[0]);
  if (bind(server.get(), name->get(), name->length) != 0) return CouldNotTry(errno, "bind");
  if (listen(server.get(), 1) != 0) return CouldNotTry(errno, "listen");
  const pid_t child = fork();
  if (child == 0) {
    const Outcome outcome = ConnectTo(SOCK_STREAM, arguments[0]);
    _exit(outcome.status == Status::kAllowed ? 0 : outcome.error);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (arguments[0][0] != '@') unlink(arguments[0]);
  return WEXITSTATUS(status) == 0 ? Allowed() : FromErrno(WEXITSTATUS(status));
}

constexpr std::array kVerbs = {
    Verb{"unix-connect", 2, false, "stream|dgram|seqpacket NAME", Connect},
    Verb{"unix-sendto", 1, false, "NAME", SendTo},
    Verb{"unix-sendmsg", 1, false, "NAME", SendMsg},
    Verb{"unix-sendmmsg", 1, false, "NAME", SendMmsg},
    Verb{"unix-ring-connect", 1, false, "NAME", RingConnect},
    Verb{"unix-connect-relative", 2, false, "DIRECTORY NAME", ConnectRelative},
    Verb{"unix-connect-linked", 2, false, "LINK TARGET", ConnectLinked},
    Verb{"unix-connect-below-link", 3, false, "LINK DIRECTORY NAME", ConnectBelowLink},
    Verb{"unix-connect-swapped", 2, false, "PATH TARGET", ConnectSwapped},
    Verb{"unix-own-server", 1, false, "NAME", OwnServer},
};

}  // namespace

std::span<const Verb> UnixVerbs() { return kVerbs; }

}  // namespace palyra::probes
