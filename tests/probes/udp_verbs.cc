// Ways to send a UDP or UDP-Lite datagram.

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string>

#include "tests/probes/target.h"

namespace palyra::probes {
namespace {

msghdr MessageTo(const Target& target, iovec* part) {
  *part = {.iov_base = const_cast<char*>(kToken.data()), .iov_len = kToken.size()};
  msghdr message = {};
  message.msg_name = const_cast<sockaddr*>(target.address());
  message.msg_namelen = target.length;
  message.msg_iov = part;
  message.msg_iovlen = 1;
  return message;
}

// Opens a datagram socket of `protocol` for the target in the arguments and hands both to `send`.
template <typename Send>
Outcome WithSocket(Arguments arguments, int protocol, Send send) {
  const auto target = ParseTarget(arguments[0], arguments[1]);
  if (!target) return CouldNotTry(EINVAL);
  const UniqueFd fd = OpenSocket(*target, SOCK_DGRAM, protocol);
  if (!fd.valid()) return FromErrno(errno);
  return send(fd.get(), *target);
}

Outcome SendPlain(int fd, const Target& target) { return SendTo(fd, target); }

Outcome ConnectSend(Arguments arguments) { return WithSocket(arguments, 0, ConnectAndSend); }

Outcome PlainSendTo(Arguments arguments) { return WithSocket(arguments, 0, SendPlain); }

Outcome SendMsg(Arguments arguments) {
  return WithSocket(arguments, 0, [](int fd, const Target& target) {
    iovec part;
    const msghdr message = MessageTo(target, &part);
    return FromSent(sendmsg(fd, &message, 0));
  });
}

Outcome SendMmsg(Arguments arguments) {
  return WithSocket(arguments, 0, [](int fd, const Target& target) {
    iovec part;
    std::array<mmsghdr, 2> messages = {};
    for (mmsghdr& message : messages) message.msg_hdr = MessageTo(target, &part);
    return FromSent(sendmmsg(fd, messages.data(), messages.size(), 0));
  });
}

Outcome UdpliteSendTo(Arguments arguments) {
  return WithSocket(arguments, IPPROTO_UDPLITE, SendPlain);
}

Outcome UdpliteConnectSend(Arguments arguments) {
  return WithSocket(arguments, IPPROTO_UDPLITE, ConnectAndSend);
}

// A socket connected to the first target; then `reach` for the second.
template <typename Reach>
Outcome AfterConnect(Arguments arguments, Reach reach) {
  const auto first = ParseTarget(arguments[0], arguments[1]);
  const auto second = ParseTarget(arguments[2], arguments[3]);
  if (!first || !second) return CouldNotTry(EINVAL);
  const UniqueFd fd = OpenSocket(*first, SOCK_DGRAM, 0);
  if (!fd.valid()) return CouldNotTry(errno, "socket");
  if (connect(fd.get(), first->address(), first->length) != 0) return CouldNotTry(errno, "first");
  return reach(fd.get(), *second);
}

Outcome SendToOnConnected(Arguments arguments) { return AfterConnect(arguments, SendPlain); }

Outcome Reconnect(Arguments arguments) { return AfterConnect(arguments, ConnectAndSend); }

using Clock = std::chrono::steady_clock;

// Says how often it was denied, and how often it was not.
Outcome Counted(uint64_t denied, uint64_t allowed) {
  return {Status::kAllowed, 0,
          "denied=" + std::to_string(denied) + ",allowed=" + std::to_string(allowed)};
}

// Datagrams to one place, until there are so many or so many seconds are over.
Outcome Flood(Arguments arguments) {
  const auto target = ParseTarget(arguments[0], arguments[1]);
  const auto count = ParseNumber(arguments[2]);
  const auto seconds = ParseNumber(arguments[3]);
  if (!target || !count || !seconds) return CouldNotTry(EINVAL);
  const UniqueFd fd = OpenSocket(*target, SOCK_DGRAM, 0);
  if (!fd.valid()) return FromErrno(errno);
  const Clock::time_point end = Clock::now() + std::chrono::seconds(*seconds);
  uint64_t denied = 0;
  uint64_t allowed = 0;
  for (int i = 0; i < *count && Clock::now() < end; ++i) {
    const bool is_sent = sendto(fd.get(), "x", 1, 0, target->address(), target->length) == 1;
    ++(is_sent ? allowed : denied);
  }
  return Counted(denied, allowed);
}

// One datagram to each port from 1 on, by one socket.
Outcome Spray(Arguments arguments) {
  const auto count = ParseNumber(arguments[1]);
  const auto first = ParseTarget(arguments[0], "1");
  if (!count || !first) return CouldNotTry(EINVAL);
  const UniqueFd fd = OpenSocket(*first, SOCK_DGRAM, 0);
  if (!fd.valid()) return FromErrno(errno);
  uint64_t denied = 0;
  uint64_t allowed = 0;
  for (int port = 1; port <= *count; ++port) {
    const auto target = ParseTarget(arguments[0], std::to_string(port).c_str());
    if (!target) return CouldNotTry(EINVAL);
    const bool is_sent = sendto(fd.get(), "x", 1, 0, target->address(), target->length) == 1;
    ++(is_sent ? allowed : denied);
  }
  return Counted(denied, allowed);
}

// As libc does, to sort what it looked up: nothing is sent.
Outcome ConnectOnly(Arguments arguments) {
  return WithSocket(arguments, 0, [](int fd, const Target& target) {
    return connect(fd, target.address(), target.length) == 0 ? Allowed() : FromErrno(errno);
  });
}

constexpr std::array kVerbs = {
    Verb{"udp-connect-only", 2, false, "ADDRESS PORT", ConnectOnly},
    Verb{"udp-flood", 4, false, "ADDRESS PORT COUNT SECONDS", Flood},
    Verb{"udp-spray", 2, false, "ADDRESS COUNT", Spray},
    Verb{"udp-connect-send", 2, false, "ADDRESS PORT", ConnectSend},
    Verb{"udp-sendto", 2, false, "ADDRESS PORT", PlainSendTo},
    Verb{"udp-sendmsg", 2, false, "ADDRESS PORT", SendMsg},
    Verb{"udp-sendmmsg", 2, false, "ADDRESS PORT", SendMmsg},
    Verb{"udplite-sendto", 2, false, "ADDRESS PORT", UdpliteSendTo},
    Verb{"udplite-connect-send", 2, false, "ADDRESS PORT", UdpliteConnectSend},
    Verb{"udp-sendto-on-connected", 4, false, "ADDRESS PORT ADDRESS PORT", SendToOnConnected},
    Verb{"udp-reconnect", 4, false, "ADDRESS PORT ADDRESS PORT", Reconnect},
};

}  // namespace

std::span<const Verb> UdpVerbs() { return kVerbs; }

}  // namespace palyra::probes
