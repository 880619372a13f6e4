#include "tests/probes/packet.h"

#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>

#include <cstring>

namespace palyra::probes {
namespace {

// RFC 1071.
uint16_t InternetChecksum(const uint8_t* bytes, size_t size) {
  uint32_t sum = 0;
  for (size_t i = 0; i + 1 < size; i += 2) {
    sum += static_cast<uint32_t>(bytes[i] << 8 | bytes[i + 1]);
  }
  if (size % 2 != 0) sum += static_cast<uint32_t>(bytes[size - 1] << 8);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return htons(static_cast<uint16_t>(~sum));
}

template <typename Header>
void Append(Bytes* packet, const Header& header) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&header);
  packet->insert(packet->end(), bytes, bytes + sizeof(header));
}

void AppendUdp(Bytes* packet, in_port_t port) {
  udphdr udp = {};
  udp.uh_sport = htons(4242);
  udp.uh_dport = port;
  udp.uh_ulen = htons(sizeof(udp) + kToken.size());
  Append(packet, udp);
  packet->insert(packet->end(), kToken.begin(), kToken.end());
}

}  // namespace

Bytes UdpPacket(const Target& target) {
  constexpr uint16_t kDatagram = sizeof(udphdr) + kToken.size();
  Bytes packet;
  if (target.family == AF_INET) {
    iphdr header = {};
    header.version = 4;
    header.ihl = sizeof(header) / 4;
    header.ttl = 64;
    header.protocol = IPPROTO_UDP;
    header.tot_len = htons(sizeof(header) + kDatagram);
    header.daddr = target.v4().sin_addr.s_addr;
    header.check = InternetChecksum(reinterpret_cast<const uint8_t*>(&header), sizeof(header));
    Append(&packet, header);
    AppendUdp(&packet, target.v4().sin_port);
    return packet;
  }
  ip6_hdr header = {};
  header.ip6_flow = htonl(uint32_t{6} << 28);
  header.ip6_plen = htons(kDatagram);
  header.ip6_nxt = IPPROTO_UDP;
  header.ip6_hlim = 64;
  header.ip6_dst = target.v6().sin6_addr;
  Append(&packet, header);
  AppendUdp(&packet, target.v6().sin6_port);
  return packet;
}

Bytes EchoRequest(int family) {
  Bytes packet;
  if (family == AF_INET6) {
    icmp6_hdr header = {};
    header.icmp6_type = ICMP6_ECHO_REQUEST;
    Append(&packet, header);
    packet.insert(packet.end(), kToken.begin(), kToken.end());
    return packet;
  }
  icmphdr header = {};
  header.type = ICMP_ECHO;
  Append(&packet, header);
  packet.insert(packet.end(), kToken.begin(), kToken.end());
  const uint16_t checksum = InternetChecksum(packet.data(), packet.size());
  std::memcpy(&packet[offsetof(icmphdr, checksum)], &checksum, sizeof(checksum));
  return packet;
}

}  // namespace palyra::probes
