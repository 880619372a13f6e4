// An address with a port, and what sockets make of it.

#ifndef PALYRA_BROKER_ENDPOINT_H_
#define PALYRA_BROKER_ENDPOINT_H_

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace palyra::broker {

// Passive data. An IPv4 address that IPv6 carries (::ffff:a.b.c.d) is written as IPv4.
struct Endpoint {
  bool is_ipv6 = false;
  std::array<uint8_t, 16> address = {};  // In network order; IPv4 has the first four bytes.
  uint16_t port = 0;                     // In host order.
  bool operator==(const Endpoint&) const = default;
};

struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// "127.0.0.1" or "::1" with `port`; nullopt for what is no address.
std::optional<Endpoint> ParseEndpoint(const std::string& address, uint16_t port);

// "127.0.0.1:80", "[::1]:80".
std::string ToText(const Endpoint& endpoint);

SocketAddress ToSocketAddress(const Endpoint& endpoint);

// nullopt if the family is neither IPv4 nor IPv6.
std::optional<Endpoint> ToEndpoint(const SocketAddress& address);

// getpeername(2) and getsockname(2).
std::optional<Endpoint> PeerOf(int fd);
std::optional<Endpoint> LocalOf(int fd);

// A TCP socket that listens there; port 0 takes any.
Result<UniqueFd> ListenAt(const Endpoint& endpoint);

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_ENDPOINT_H_
