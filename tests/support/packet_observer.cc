#include "tests/support/packet_observer.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "tests/support/subprocess.h"

namespace palyra::tests {
namespace {

constexpr uint16_t kMarkerPort = 7999;

// What of a packet matters here.
struct Parsed {
  std::string source;
  std::string destination;
  uint8_t protocol = 0;
  std::span<const uint8_t> payload;
};

template <typename Header>
bool ReadHeader(std::span<const uint8_t> bytes, Header* header) {
  if (bytes.size() < sizeof(Header)) return false;
  std::memcpy(header, bytes.data(), sizeof(Header));
  return true;
}

template <typename Address>
std::string Text(int family, const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> text = {};
  return inet_ntop(family, &address, text.data(), text.size());
}

// Everything that is no IP packet has an empty destination.
Parsed Parse(std::span<const uint8_t> packet) {
  iphdr v4;
  ip6_hdr v6;
  if (ReadHeader(packet, &v4) && v4.version == 4) {
    const size_t length = std::min<size_t>(packet.size(), size_t{v4.ihl} * 4);
    return {Text(AF_INET, v4.saddr), Text(AF_INET, v4.daddr), v4.protocol, packet.subspan(length)};
  }
  if (ReadHeader(packet, &v6) && (packet[0] >> 4) == 6) {
    return {Text(AF_INET6, v6.ip6_src), Text(AF_INET6, v6.ip6_dst), v6.ip6_nxt,
            packet.subspan(sizeof(v6))};
  }
  return {};
}

bool IsNeighbourDiscovery(const Parsed& packet) {
  if (packet.protocol != IPPROTO_ICMPV6 || packet.payload.empty()) return false;
  return packet.payload[0] >= ND_ROUTER_SOLICIT && packet.payload[0] <= ND_REDIRECT;
}

}  // namespace

PacketObserver::PacketObserver(const TestNetwork& network) {
  network.Outside([this] {
    capture_.Reset(socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL)));
    sockaddr_ll link = {};
    link.sll_family = AF_PACKET;
    link.sll_protocol = htons(ETH_P_ALL);
    link.sll_ifindex = static_cast<int>(if_nametoindex(std::string(kOutsideInterface).c_str()));
    const int buffer = 8 << 20;
    setsockopt(capture_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
    if (bind(capture_.get(), reinterpret_cast<const sockaddr*>(&link), sizeof(link)) != 0) {
      throw std::runtime_error("cannot capture packets");
    }
  });
  marker_.Reset(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

void PacketObserver::Start() {
  Settle();
  packets_.clear();
  old_connections_.merge(connections_);
  connections_.clear();
}

uint64_t PacketObserver::PacketsFor(std::string_view address) {
  Settle();
  const auto found = packets_.find(address);
  return found == packets_.end() ? 0 : found->second;
}

void PacketObserver::SendMarkers() {
  ++marker_id_;
  markers_missing_ = 0;
  sockaddr_in target = {};
  target.sin_family = AF_INET;
  target.sin_port = htons(kMarkerPort);
  inet_pton(AF_INET, std::string(kAllowedV4).c_str(), &target.sin_addr);
  cpu_set_t before;
  sched_getaffinity(0, sizeof(before), &before);
  for (size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &before)) continue;
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(cpu, &only);
    if (sched_setaffinity(0, sizeof(only), &only) != 0) continue;
    if (sendto(marker_.get(), &marker_id_, sizeof(marker_id_), 0,
               reinterpret_cast<const sockaddr*>(&target), sizeof(target)) > 0) {
      ++markers_missing_;
    }
  }
  sched_setaffinity(0, sizeof(before), &before);
}

void PacketObserver::Settle() {
  SendMarkers();
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  std::vector<uint8_t> buffer(65536);
  while (markers_missing_ > 0) {
    pollfd waited = {.fd = capture_.get(), .events = POLLIN, .revents = 0};
    if (poll(&waited, 1, 1000) < 0 || std::chrono::steady_clock::now() > deadline) {
      throw std::runtime_error("a marker did not arrive outside");
    }
    sockaddr_ll from = {};
    socklen_t length = sizeof(from);
    const ssize_t count = recvfrom(capture_.get(), buffer.data(), buffer.size(), 0,
                                   reinterpret_cast<sockaddr*>(&from), &length);
    if (count <= 0 || from.sll_pkttype == PACKET_OUTGOING) continue;
    Take(std::span(buffer).first(static_cast<size_t>(count)));
  }
}

void PacketObserver::Take(std::span<const uint8_t> bytes) {
  const Parsed packet = Parse(bytes);
  if (packet.destination.empty() || IsNeighbourDiscovery(packet)) return;
  udphdr udp;
  if (packet.protocol == IPPROTO_UDP && ReadHeader(packet.payload, &udp) &&
      ntohs(udp.uh_dport) == kMarkerPort) {
    uint64_t id = 0;
    if (ReadHeader(packet.payload.subspan(sizeof(udp)), &id) && id == marker_id_) {
      --markers_missing_;
    }
    return;
  }
  tcphdr tcp;
  if (packet.protocol == IPPROTO_TCP && ReadHeader(packet.payload, &tcp)) {
    const Flow flow = {packet.source, tcp.th_sport, packet.destination, tcp.th_dport};
    if (BelongsToOldConnection(flow, tcp.th_flags)) return;
  }
  ++packets_[packet.destination];
}

bool PacketObserver::BelongsToOldConnection(const Flow& flow, uint8_t tcp_flags) {
  if ((tcp_flags & TH_SYN) == 0) return old_connections_.contains(flow);
  old_connections_.erase(flow);
  connections_.insert(flow);
  return false;
}

}  // namespace palyra::tests
