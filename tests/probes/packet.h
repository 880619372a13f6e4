// Packets built by hand, for the verbs that go round the transport layer.

#ifndef PALYRA_TESTS_PROBES_PACKET_H_
#define PALYRA_TESTS_PROBES_PACKET_H_

#include <cstdint>
#include <vector>

#include "tests/probes/target.h"

namespace palyra::probes {

using Bytes = std::vector<uint8_t>;

// A whole IP packet with a UDP datagram of kToken in it, from the unspecified address; for IPv4
// with header checksum, without UDP checksum (RFC 768 allows it).
Bytes UdpPacket(const Target& target);

// An ICMP or ICMPv6 echo request with kToken; the ICMPv6 checksum is left to the kernel.
Bytes EchoRequest(int family);

}  // namespace palyra::probes

#endif  // PALYRA_TESTS_PROBES_PACKET_H_
