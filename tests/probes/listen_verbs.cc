// Ways to be reached: taking a local address and port, listening, accepting.

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "tests/probes/target.h"

namespace palyra::probes {
namespace {

Outcome BindA(int type, Arguments arguments, int protocol = 0) {
  const auto target = ParseTarget(arguments[0], arguments[1]);
  if (!target) return CouldNotTry(EINVAL);
  const UniqueFd fd = OpenSocket(*target, type, protocol);
  if (!fd.valid()) return FromErrno(errno);
  if (bind(fd.get(), target->address(), target->length) != 0) return FromErrno(errno);
  return Allowed();
}

// As a second server beside one that permits it.
Outcome Share(int type, Arguments arguments) {
  const auto target = ParseTarget(arguments[0], arguments[1]);
  if (!target) return CouldNotTry(EINVAL);
  const UniqueFd fd = OpenSocket(*target, type, 0);
  if (!fd.valid()) return FromErrno(errno);
  const int on = 1;
  if (setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) {
    return CouldNotTry(errno, "option");
  }
  if (bind(fd.get(), target->address(), target->length) != 0) return FromErrno(errno);
  if (type == SOCK_STREAM && listen(fd.get(), 1) != 0) return FromErrno(errno);
  return Allowed();
}

Outcome ShareTcp(Arguments arguments) { return Share(SOCK_STREAM, arguments); }

Outcome ShareUdp(Arguments arguments) { return Share(SOCK_DGRAM, arguments); }

Outcome BindTcp(Arguments arguments) { return BindA(SOCK_STREAM, arguments); }

Outcome BindMptcp(Arguments arguments) { return BindA(SOCK_STREAM, arguments, IPPROTO_MPTCP); }

Outcome BindUdplite(Arguments arguments) { return BindA(SOCK_DGRAM, arguments, IPPROTO_UDPLITE); }

Outcome BindUdp(Arguments arguments) { return BindA(SOCK_DGRAM, arguments); }

// At a port that the kernel chooses. Allowed once somebody has connected to it.
Outcome ListenAnywhere(Arguments arguments) {
  const auto wanted = ParseTarget(arguments[0], "0");
  if (!wanted) return CouldNotTry(EINVAL);
  const UniqueFd server = OpenSocket(*wanted, SOCK_STREAM, 0);
  if (!server.valid()) return FromErrno(errno);
  if (bind(server.get(), wanted->address(), wanted->length) != 0) return FromErrno(errno);
  if (listen(server.get(), 1) != 0) return FromErrno(errno);
  Target chosen = *wanted;
  if (getsockname(server.get(), reinterpret_cast<sockaddr*>(&chosen.storage), &chosen.length) !=
      0) {
    return CouldNotTry(errno);
  }
  const UniqueFd client = OpenSocket(*wanted, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (connect(client.get(), chosen.address(), chosen.length) != 0 && errno != EINPROGRESS) {
    return FromErrno(errno);
  }
  const int error = WaitConnected(client.get());
  return error == 0 ? Allowed() : FromErrno(error);
}

// Says when it listens. Allowed once somebody has connected, who may be outside.
Outcome Serve(Arguments arguments) {
  const auto target = ParseTarget(arguments[0], arguments[1]);
  if (!target) return CouldNotTry(EINVAL);
  const UniqueFd server = OpenSocket(*target, SOCK_STREAM, 0);
  if (!server.valid()) return FromErrno(errno);
  const int on = 1;
  setsockopt(server.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(server.get(), target->address(), target->length) != 0) return FromErrno(errno);
  if (listen(server.get(), 1) != 0) return FromErrno(errno);
  std::puts("tcp-serve listens");
  std::fflush(stdout);
  const UniqueFd peer(accept4(server.get(), nullptr, nullptr, SOCK_CLOEXEC));
  return peer.valid() ? Allowed() : FromErrno(errno);
}

// A server and its client in one process; allowed once the token has come through.
Outcome Pair(Arguments arguments) {
  const auto target = ParseTarget(arguments[0], arguments[1]);
  if (!target) return CouldNotTry(EINVAL);
  const UniqueFd server = OpenSocket(*target, SOCK_STREAM, 0);
  const UniqueFd client = OpenSocket(*target, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (!server.valid() || !client.valid()) return FromErrno(errno);
  const int on = 1;
  setsockopt(server.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(server.get(), target->address(), target->length) != 0) return FromErrno(errno);
  if (listen(server.get(), 1) != 0) return FromErrno(errno);
  if (connect(client.get(), target->address(), target->length) != 0) {
    if (errno != EINPROGRESS) return FromErrno(errno);
    if (const int error = WaitConnected(client.get()); error != 0) return FromErrno(error);
  }
  if (send(client.get(), kToken.data(), kToken.size(), MSG_NOSIGNAL) < 0) return FromErrno(errno);
  const UniqueFd peer(accept4(server.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!peer.valid()) return FromErrno(errno);
  std::array<char, 64> received;
  pollfd waited = {.fd = peer.get(), .events = POLLIN, .revents = 0};
  if (poll(&waited, 1, 5000) <= 0) return FromErrno(ETIMEDOUT);
  return FromSent(recv(peer.get(), received.data(), received.size(), 0));
}

constexpr std::array kVerbs = {
    Verb{"tcp-bind", 2, false, "ADDRESS PORT", BindTcp},
    Verb{"tcp-share-port", 2, false, "ADDRESS PORT", ShareTcp},
    Verb{"udp-share-port", 2, false, "ADDRESS PORT", ShareUdp},
    Verb{"mptcp-bind", 2, false, "ADDRESS PORT", BindMptcp},
    Verb{"udplite-bind", 2, false, "ADDRESS PORT", BindUdplite},
    Verb{"udp-bind", 2, false, "ADDRESS PORT", BindUdp},
    Verb{"tcp-listen-anywhere", 1, false, "ADDRESS", ListenAnywhere},
    Verb{"tcp-serve", 2, false, "ADDRESS PORT", Serve},
    Verb{"tcp-pair", 2, false, "ADDRESS PORT", Pair},
};

}  // namespace

std::span<const Verb> ListenVerbs() { return kVerbs; }

}  // namespace palyra::probes
