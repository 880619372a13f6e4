#include "broker/socket_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace palyra::broker {

SocketAddress::SocketAddress(const Endpoint& endpoint) {
  const std::span<const uint8_t> bytes = endpoint.address.bytes();
  if (endpoint.address.is_v4()) {
    sockaddr_in v4 = {};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    std::memcpy(&v4.sin_addr, bytes.data(), bytes.size());
    std::memcpy(&storage_, &v4, sizeof(v4));
    size_ = sizeof(v4);
  } else {
    storage_.sin6_family = AF_INET6;
    storage_.sin6_port = htons(endpoint.port);
    std::memcpy(&storage_.sin6_addr, bytes.data(), bytes.size());
    size_ = sizeof(storage_);
  }
}

std::optional<Endpoint> SocketAddress::endpoint() const {
  if (family() == AF_INET6) {
    const std::span<const uint8_t, 16> bytes(storage_.sin6_addr.s6_addr);
    return Endpoint{*Address::FromBytes(bytes), ntohs(storage_.sin6_port)};
  }
  if (family() != AF_INET) return std::nullopt;
  sockaddr_in v4 = {};
  std::memcpy(&v4, &storage_, sizeof(v4));
  const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(&v4.sin_addr),
                                       sizeof(v4.sin_addr));
  return Endpoint{*Address::FromBytes(bytes), ntohs(v4.sin_port)};
}

bool SocketAddress::operator==(const SocketAddress& other) const {
  return size_ == other.size_ && std::memcmp(&storage_, &other.storage_, size_) == 0;
}

}  // namespace palyra::broker
