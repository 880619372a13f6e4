// An address with a port, and the sockets that have them.

#ifndef PALYRA_BROKER_ENDPOINT_H_
#define PALYRA_BROKER_ENDPOINT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "broker/address.h"

namespace palyra::broker {

// Passive data.
struct Endpoint {
  Address address;
  uint16_t port;
  bool operator==(const Endpoint&) const = default;
};

// "127.0.0.1" or "::1" with `port`; nullopt for what is no address.
std::optional<Endpoint> ParseEndpoint(const std::string& address, uint16_t port);

// "127.0.0.1:80", "[::1]:80".
std::string ToText(const Endpoint& endpoint);

// getpeername(2) and getsockname(2); nullopt also for families other than IPv4 and IPv6.
std::optional<Endpoint> PeerOf(int fd);
std::optional<Endpoint> LocalOf(int fd);

// A TCP socket that listens there; port 0 takes any.
Result<UniqueFd> ListenAt(const Endpoint& endpoint);

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_ENDPOINT_H_
