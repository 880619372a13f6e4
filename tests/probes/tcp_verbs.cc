// Ways to open a TCP or MPTCP connection.

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "tests/probes/target.h"

namespace palyra::probes {
namespace {

Outcome Connect(Arguments arguments) {
  const auto target = ParseTarget(arguments[0], arguments[1]);
  if (!target) return CouldNotTry(EINVAL);
  const UniqueFd fd = OpenSocket(*target, SOCK_STREAM, 0);
  if (!fd.valid()) return FromErrno(errno);
  return ConnectAndSend(fd.get(), *target);
}

Outcome ConnectNonblocking(Arguments arguments) {
  const auto target = ParseTarget(arguments[0], arguments[1]);
  if (!target) return CouldNotTry(EINVAL);
  const UniqueFd fd = OpenSocket(*target, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (!fd.valid()) return FromErrno(errno);
  if (connect(fd.get(), target->address(), target->length) != 0) {
    if (errno != EINPROGRESS) return FromErrno(errno);
    if (const int error = WaitConnected(fd.get()); error != 0) return FromErrno(error);
  }
  return FromSent(send(fd.get(), kToken.data(), kToken.size(), MSG_NOSIGNAL));
}

// The SYN and the data in one sendto, without any connect call.
Outcome FastOpen(Arguments arguments) {
  const auto target = ParseTarget(arguments[0], arguments[1]);
  if (!target) return CouldNotTry(EINVAL);
  const UniqueFd fd = OpenSocket(*target, SOCK_STREAM, 0);
  if (!fd.valid()) return FromErrno(errno);
  return SendTo(fd.get(), *target, MSG_FASTOPEN);
}

// connect returns at once; the SYN leaves with the first write.
Outcome FastOpenConnect(Arguments arguments) {
  const auto target = ParseTarget(arguments[0], arguments[1]);
  if (!target) return CouldNotTry(EINVAL);
  const UniqueFd fd = OpenSocket(*target, SOCK_STREAM, 0);
  if (!fd.valid()) return FromErrno(errno);
  const int on = 1;
  if (setsockopt(fd.get(), IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on)) != 0) {
    return CouldNotTry(errno);
  }
  return ConnectAndSend(fd.get(), *target);
}

Outcome Mptcp(Arguments arguments) {
  const auto target = ParseTarget(arguments[0], arguments[1]);
  if (!target) return CouldNotTry(EINVAL);
  const UniqueFd fd = OpenSocket(*target, SOCK_STREAM, IPPROTO_MPTCP);
  if (!fd.valid()) return FromErrno(errno);
  return ConnectAndSend(fd.get(), *target);
}

// Stays connected for a while, in which the peer may announce other addresses of its own and the
// kernel connect to them.
Outcome MptcpLinger(Arguments arguments) {
  const auto target = ParseTarget(arguments[0], arguments[1]);
  if (!target) return CouldNotTry(EINVAL);
  const UniqueFd fd = OpenSocket(*target, SOCK_STREAM, IPPROTO_MPTCP);
  if (!fd.valid()) return FromErrno(errno);
  Outcome outcome = ConnectAndSend(fd.get(), *target);
  constexpr int kSends = 20;
  for (int i = 0; i < kSends && outcome.status == Status::kAllowed; ++i) {
    usleep(50'000);
    outcome = FromSent(send(fd.get(), kToken.data(), kToken.size(), MSG_NOSIGNAL));
  }
  return outcome;
}

Outcome BoundConnect(Arguments arguments) {
  const auto source = ParseTarget(arguments[0], "0");
  const auto target = ParseTarget(arguments[1], arguments[2]);
  if (!source || !target) return CouldNotTry(EINVAL);
  const UniqueFd fd = OpenSocket(*target, SOCK_STREAM, 0);
  if (!fd.valid()) return FromErrno(errno);
  if (bind(fd.get(), source->address(), source->length) != 0) return CouldNotTry(errno, "bind");
  return ConnectAndSend(fd.get(), *target);
}

// A permitted connection, dissolved by connect(AF_UNSPEC), then the same socket to the second one.
Outcome Reconnect(Arguments arguments) {
  const auto first = ParseTarget(arguments[0], arguments[1]);
  const auto second = ParseTarget(arguments[2], arguments[3]);
  if (!first || !second) return CouldNotTry(EINVAL);
  const UniqueFd fd = OpenSocket(*first, SOCK_STREAM, 0);
  if (!fd.valid()) return CouldNotTry(errno, "socket");
  if (connect(fd.get(), first->address(), first->length) != 0) return CouldNotTry(errno, "first");
  const sockaddr unspecified = {.sa_family = AF_UNSPEC, .sa_data = {}};
  if (connect(fd.get(), &unspecified, sizeof(unspecified)) != 0) {
    return CouldNotTry(errno, "dissolve");
  }
  return ConnectAndSend(fd.get(), *second);
}

constexpr std::array kVerbs = {
    Verb{"tcp-connect", 2, false, "ADDRESS PORT", Connect},
    Verb{"tcp-connect-nonblocking", 2, false, "ADDRESS PORT", ConnectNonblocking},
    Verb{"tcp-fastopen", 2, false, "ADDRESS PORT", FastOpen},
    Verb{"tcp-fastopen-connect", 2, false, "ADDRESS PORT", FastOpenConnect},
    Verb{"mptcp-connect", 2, false, "ADDRESS PORT", Mptcp},
    Verb{"mptcp-linger", 2, false, "ADDRESS PORT", MptcpLinger},
    Verb{"tcp-bound-connect", 3, false, "SOURCE ADDRESS PORT", BoundConnect},
    Verb{"tcp-reconnect", 4, false, "ADDRESS PORT ADDRESS PORT", Reconnect},
};

}  // namespace

std::span<const Verb> TcpVerbs() { return kVerbs; }

}  // namespace palyra::probes
