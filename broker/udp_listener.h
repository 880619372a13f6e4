// A UDP socket that clients send queries to, many in one system call.

#ifndef PALYRA_BROKER_UDP_LISTENER_H_
#define PALYRA_BROKER_UDP_LISTENER_H_

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/unique_fd.h"
#include "broker/socket_address.h"

namespace palyra::broker {

class UdpListener {
 public:
  // More in a query is nothing that we read: it is cut off, and so malformed.
  static constexpr size_t kMaxQuery = 2048;

  // Owns a bound socket. Replies leave from the address that it is bound to.
  explicit UdpListener(UniqueFd fd);

  [[nodiscard]] int fd() const { return fd_.get(); }

  // Takes in what is there, at most kBatch packets, and gives their number; it never waits.
  size_t Receive();

  // Of the last Receive(), by index.
  [[nodiscard]] std::span<const uint8_t> packet(size_t index) const;
  [[nodiscard]] const SocketAddress& peer(size_t index) const { return slots_[index].peer; }

  // Where to write the next reply, to `peer`. Sent by Flush(), or before if there are many.
  std::vector<uint8_t>& NewReply(const SocketAddress& peer);

  // Sends what was written. Gives the number of replies that the kernel did not take: they are
  // lost, as packets are.
  size_t Flush();

 private:
  static constexpr size_t kBatch = 32;

  struct Slot {
    std::array<uint8_t, kMaxQuery> bytes;
    SocketAddress peer;
    size_t size = 0;
  };
  struct Reply {
    std::vector<uint8_t> bytes;
    SocketAddress peer;
  };

  UniqueFd fd_;
  std::vector<Slot> slots_;
  std::vector<Reply> replies_;  // Those beyond reply_count_ only keep their memory.
  size_t reply_count_ = 0;
  size_t lost_ = 0;  // Not reported yet.
};

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_UDP_LISTENER_H_
