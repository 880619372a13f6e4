// Ways round the transport layer: raw, ping and packet sockets.

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "tests/probes/packet.h"

namespace palyra::probes {
namespace {

Outcome SendBytes(int fd, const Bytes& packet, const sockaddr* address, socklen_t length) {
  return FromSent(sendto(fd, packet.data(), packet.size(), 0, address, length));
}

Outcome Echo(Arguments arguments, int type) {
  const auto target = ParseTarget(arguments[0], "0");
  if (!target) return CouldNotTry(EINVAL);
  const int protocol = target->family == AF_INET ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6};
  const UniqueFd fd = OpenSocket(*target, type, protocol);
  if (!fd.valid()) return FromErrno(errno);
  return SendBytes(fd.get(), EchoRequest(target->family), target->address(), target->length);
}

Outcome RawIcmp(Arguments arguments) { return Echo(arguments, SOCK_RAW); }

Outcome PingSocket(Arguments arguments) { return Echo(arguments, SOCK_DGRAM); }

Outcome PingSocketConnected(Arguments arguments) {
  const auto target = ParseTarget(arguments[0], "0");
  if (!target) return CouldNotTry(EINVAL);
  const int protocol = target->family == AF_INET ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6};
  const UniqueFd fd = OpenSocket(*target, SOCK_DGRAM, protocol);
  if (!fd.valid()) return FromErrno(errno);
  if (connect(fd.get(), target->address(), target->length) != 0) return FromErrno(errno);
  return SendBytes(fd.get(), EchoRequest(target->family), nullptr, 0);
}

// The IP header is the caller's own, so the kernel sees no UDP socket at all.
Outcome RawHeaderIncluded(Arguments arguments) {
  const auto target = ParseTarget(arguments[0], arguments[1]);
  if (!target) return CouldNotTry(EINVAL);
  const UniqueFd fd = OpenSocket(*target, SOCK_RAW, IPPROTO_RAW);
  if (!fd.valid()) return FromErrno(errno);
  Target destination = *target;  // A raw IPv6 socket refuses a port here.
  if (target->family == AF_INET6) {
    reinterpret_cast<sockaddr_in6&>(destination.storage).sin6_port = 0;
  }
  return SendBytes(fd.get(), UdpPacket(*target), destination.address(), destination.length);
}

// The first interface that is up and no loopback, or 0.
int OutwardInterface(int fd) {
  struct if_nameindex* interfaces = if_nameindex();
  if (interfaces == nullptr) return 0;
  unsigned found = 0;
  for (const auto* next = interfaces; next->if_index != 0 && found == 0; ++next) {
    ifreq request = {};
    std::strncpy(request.ifr_name, next->if_name, IFNAMSIZ - 1);
    if (ioctl(fd, SIOCGIFFLAGS, &request) != 0) continue;
    const bool up = (request.ifr_flags & IFF_UP) != 0;
    if (up && (request.ifr_flags & IFF_LOOPBACK) == 0) found = next->if_index;
  }
  if_freenameindex(interfaces);
  return static_cast<int>(found);
}

// Straight onto the wire, below IP: no cgroup hook sees it.
Outcome PacketSocket(Arguments arguments) {
  const auto target = ParseTarget(arguments[0], arguments[1]);
  if (!target) return CouldNotTry(EINVAL);
  const uint16_t ethertype = htons(target->family == AF_INET ? ETHERTYPE_IP : ETHERTYPE_IPV6);
  const UniqueFd fd(socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, ethertype));
  if (!fd.valid()) return FromErrno(errno);
  sockaddr_ll link = {};
  link.sll_family = AF_PACKET;
  link.sll_protocol = ethertype;
  link.sll_ifindex = OutwardInterface(fd.get());
  link.sll_halen = ETH_ALEN;
  if (link.sll_ifindex == 0) return CouldNotTry(ENODEV);
  std::memset(link.sll_addr, 0xff, ETH_ALEN);
  return SendBytes(fd.get(), UdpPacket(*target), reinterpret_cast<const sockaddr*>(&link),
                   sizeof(link));
}

constexpr std::array kVerbs = {
    Verb{"raw-icmp", 1, true, "ADDRESS", RawIcmp},
    Verb{"icmp-ping", 1, true, "ADDRESS", PingSocket},
    Verb{"icmp-ping-connected", 1, true, "ADDRESS", PingSocketConnected},
    Verb{"raw-hdrincl", 2, false, "ADDRESS PORT", RawHeaderIncluded},
    Verb{"packet-socket", 2, false, "ADDRESS PORT", PacketSocket},
};

}  // namespace

std::span<const Verb> RawVerbs() { return kVerbs; }

}  // namespace palyra::probes
