// Sees every IP packet that arrives outside, whatever made it: the proof that nothing left.

#ifndef PALYRA_TESTS_SUPPORT_PACKET_OBSERVER_H_
#define PALYRA_TESTS_SUPPORT_PACKET_OBSERVER_H_

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>

#include "base/unique_fd.h"
#include "tests/support/test_network.h"

namespace palyra::tests {

// Counts packets by destination address within a window. Not counted: neighbour discovery, which
// the kernel sends by itself, and the end of a TCP connection that was opened before the window.
class PacketObserver {
 public:
  explicit PacketObserver(const TestNetwork& network);

  // Starts a window.
  void Start();

  // How many packets for `address` have arrived since Start(). Everything sent before this call is
  // counted: a marker from each processor follows the packets through the same queues, and all
  // markers are waited for. Throws std::runtime_error if one does not arrive.
  uint64_t PacketsFor(std::string_view address);

 private:
  // Source address, source port, destination address, destination port.
  using Flow = std::tuple<std::string, uint16_t, std::string, uint16_t>;

  void Settle();
  void SendMarkers();
  void Take(std::span<const uint8_t> bytes);
  bool BelongsToOldConnection(const Flow& flow, uint8_t tcp_flags);

  UniqueFd capture_;
  UniqueFd marker_;
  uint64_t marker_id_ = 0;
  int markers_missing_ = 0;
  std::map<std::string, uint64_t, std::less<>> packets_;
  std::set<Flow> old_connections_;
  std::set<Flow> connections_;
};

}  // namespace palyra::tests

#endif  // PALYRA_TESTS_SUPPORT_PACKET_OBSERVER_H_
