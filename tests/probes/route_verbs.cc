// Source routes: the socket calls name one address, the packet leaves for another. And devices: the
// address is the one that was named, and where it leads is not.
//
// An IPv4 loose source route (RFC 791) and an IPv6 segment routing header (RFC 8754) may be set
// without any capability. The connect and sendmsg hooks see the final address; the packet's
// destination is the first hop.

#include <linux/seg6.h>
#include <netinet/ip.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "tests/probes/target.h"

namespace palyra::probes {
namespace {

int SetLooseSourceRoute(int fd, const in_addr& via) {
  // No-op for alignment, then type, length, pointer and one hop.
  std::array<uint8_t, 8> option = {IPOPT_NOP, IPOPT_LSRR, 7, 4};
  std::memcpy(&option[4], &via, sizeof(via));
  return setsockopt(fd, IPPROTO_IP, IP_OPTIONS, option.data(), option.size());
}

int SetSegmentRoute(int fd, const in6_addr& via) {
  constexpr uint8_t kSegmentRouting = 4;
  std::array<uint8_t, sizeof(ipv6_sr_hdr) + 2 * sizeof(in6_addr)> bytes = {};
  ipv6_sr_hdr header = {};
  header.hdrlen = (bytes.size() / 8) - 1;
  header.type = kSegmentRouting;
  header.segments_left = 1;
  header.first_segment = 1;
  std::memcpy(bytes.data(), &header, sizeof(header));
  // Segment 0 is the final address, which the kernel fills in from the call.
  std::memcpy(bytes.data() + sizeof(header) + sizeof(in6_addr), &via, sizeof(via));
  return setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, bytes.data(), bytes.size());
}

template <typename Reach>
Outcome Routed(Arguments arguments, int type, Reach reach) {
  const auto via = ParseTarget(arguments[0], "0");
  const auto target = ParseTarget(arguments[1], arguments[2]);
  if (!via || !target || via->family != target->family) return CouldNotTry(EINVAL);
  const UniqueFd fd = OpenSocket(*target, type, 0);
  if (!fd.valid()) return CouldNotTry(errno, "socket");
  const int set = via->family == AF_INET ? SetLooseSourceRoute(fd.get(), via->v4().sin_addr)
                                         : SetSegmentRoute(fd.get(), via->v6().sin6_addr);
  if (set != 0) {
    Outcome outcome = FromErrno(errno);
    outcome.detail = "option";
    return outcome;
  }
  return reach(fd.get(), *target);
}

Outcome UdpSend(Arguments arguments) {
  return Routed(arguments, SOCK_DGRAM,
                [](int fd, const Target& target) { return SendTo(fd, target); });
}

Outcome UdpConnect(Arguments arguments) { return Routed(arguments, SOCK_DGRAM, ConnectAndSend); }

// The first hop does not answer for the final address, so only the SYN is waited for: a
// non-blocking connect sends it before it returns.
Outcome TcpConnect(Arguments arguments) {
  return Routed(arguments, SOCK_STREAM | SOCK_NONBLOCK, [](int fd, const Target& target) {
    const int connected = connect(fd, target.address(), target.length);
    return connected == 0 || errno == EINPROGRESS ? Allowed() : FromErrno(errno);
  });
}

// To an address by that network device, whatever routes say.
Outcome DeviceSend(Arguments arguments) {
  const auto target = ParseTarget(arguments[1], arguments[2]);
  if (!target) return CouldNotTry(EINVAL);
  const UniqueFd fd = OpenSocket(*target, SOCK_DGRAM, 0);
  if (!fd.valid()) return CouldNotTry(errno, "socket");
  const std::string device = arguments[0];
  if (setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, device.data(),
                 static_cast<socklen_t>(device.size())) != 0) {
    return CouldNotTry(errno, "device");
  }
  return SendTo(fd.get(), *target);
}

constexpr std::array kVerbs = {
    Verb{"udp-device-sendto", 3, false, "DEVICE ADDRESS PORT", DeviceSend},
    Verb{"udp-source-route", 3, false, "VIA ADDRESS PORT", UdpSend},
    Verb{"udp-source-route-connected", 3, false, "VIA ADDRESS PORT", UdpConnect},
    Verb{"tcp-source-route", 3, false, "VIA ADDRESS PORT", TcpConnect},
};

}  // namespace

std::span<const Verb> RouteVerbs() { return kVerbs; }

}  // namespace palyra::probes
