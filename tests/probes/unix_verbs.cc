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
#include "tests/probes/unix_target.h"

namespace palyra::probes {
namespace {

std::optional<int> ParseType(std::string_view text) {
  if (text == "stream") return SOCK_STREAM;
  if (text == "dgram") return SOCK_DGRAM;
  if (text == "seqpacket") return SOCK_SEQPACKET;
  return std::nullopt;
}

Outcome Connect(Arguments arguments) {
  const auto type = ParseType(arguments[0]);
  return type ? ConnectUnix(*type, arguments[1]) : CouldNotTry(EINVAL);
}

Outcome SendTo(Arguments arguments) {
  const auto name = ParseUnixName(arguments[0]);
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
  auto name = ParseUnixName(arguments[0]);
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
  auto name = ParseUnixName(arguments[0]);
  const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!name || !fd.valid()) return CouldNotTry(EINVAL);
  iovec part;
  mmsghdr message = {.msg_hdr = MessageTo(*name, part), .msg_len = 0};
  const int sent = sendmmsg(fd.get(), &message, 1, MSG_NOSIGNAL);
  return sent == 1 ? Allowed() : FromErrno(errno);
}

Outcome RingConnect(Arguments arguments) {
  const auto name = ParseUnixName(arguments[0]);
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

// A server of this process, and a client that is a child of it.
Outcome OwnServer(Arguments arguments) {
  const auto name = ParseUnixName(arguments[0]);
  const UniqueFd server(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!name || !server.valid()) return CouldNotTry(EINVAL);
  if (arguments[0][0] != '@') unlink(arguments[0]);
  if (bind(server.get(), name->get(), name->length) != 0) return CouldNotTry(errno, "bind");
  if (listen(server.get(), 1) != 0) return CouldNotTry(errno, "listen");
  const pid_t child = fork();
  if (child == 0) {
    const Outcome outcome = ConnectUnix(SOCK_STREAM, arguments[0]);
    _exit(outcome.status == Status::kAllowed ? 0 : outcome.error);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (arguments[0][0] != '@') unlink(arguments[0]);
  return WEXITSTATUS(status) == 0 ? Allowed() : FromErrno(WEXITSTATUS(status));
}

// A socket that is connected to the first NAME sends to the second.
Outcome SendElsewhere(Arguments arguments) {
  const auto first = ParseUnixName(arguments[0]);
  const auto second = ParseUnixName(arguments[1]);
  const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!first || !second || !fd.valid()) return CouldNotTry(EINVAL);
  if (connect(fd.get(), first->get(), first->length) != 0) return CouldNotTry(errno, "connect");
  return FromSent(
      sendto(fd.get(), kToken.data(), kToken.size(), MSG_NOSIGNAL, second->get(), second->length));
}

// One end of a pair sends to NAME.
Outcome PairSendTo(Arguments arguments) {
  const auto name = ParseUnixName(arguments[0]);
  std::array<int, 2> ends = {-1, -1};
  if (!name || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return CouldNotTry(EINVAL);
  }
  const UniqueFd first(ends[0]);
  const UniqueFd second(ends[1]);
  return FromSent(
      sendto(first.get(), kToken.data(), kToken.size(), MSG_NOSIGNAL, name->get(), name->length));
}

// Standard input, which somebody else made, sends to NAME.
Outcome InputSendTo(Arguments arguments) {
  const auto name = ParseUnixName(arguments[0]);
  if (!name) return CouldNotTry(EINVAL);
  return FromSent(
      sendto(STDIN_FILENO, kToken.data(), kToken.size(), MSG_NOSIGNAL, name->get(), name->length));
}

// NAME sends a connected socket; kToken goes through it.
Outcome Receive(Arguments arguments) {
  const auto name = ParseUnixName(arguments[0]);
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!name || !fd.valid()) return CouldNotTry(EINVAL);
  if (connect(fd.get(), name->get(), name->length) != 0) return CouldNotTry(errno, "connect");
  const UniqueFd received(ReceiveDescriptor(fd.get()));
  if (!received.valid()) return FromErrno(errno);
  return FromSent(send(received.get(), kToken.data(), kToken.size(), MSG_NOSIGNAL));
}

constexpr std::array kVerbs = {
    Verb{"unix-connect", 2, false, "stream|dgram|seqpacket NAME", Connect},
    Verb{"unix-sendto", 1, false, "NAME", SendTo},
    Verb{"unix-sendmsg", 1, false, "NAME", SendMsg},
    Verb{"unix-sendmmsg", 1, false, "NAME", SendMmsg},
    Verb{"unix-ring-connect", 1, false, "NAME", RingConnect},
    Verb{"unix-send-elsewhere", 2, false, "NAME NAME", SendElsewhere},
    Verb{"unix-pair-sendto", 1, false, "NAME", PairSendTo},
    Verb{"unix-input-sendto", 1, false, "NAME", InputSendTo},
    Verb{"unix-own-server", 1, false, "NAME", OwnServer},
    Verb{"unix-receive", 1, false, "NAME", Receive},
};

}  // namespace

std::span<const Verb> UnixVerbs() { return kVerbs; }

}  // namespace palyra::probes
