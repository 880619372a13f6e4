// What the kernel calls an address and a port.

#ifndef PALYRA_BROKER_SOCKET_ADDRESS_H_
#define PALYRA_BROKER_SOCKET_ADDRESS_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>

#include "broker/endpoint.h"

namespace palyra::broker {

// Of IPv4 or IPv6.
class SocketAddress {
 public:
  SocketAddress() = default;
  explicit SocketAddress(const Endpoint& endpoint);

  [[nodiscard]] int family() const { return storage_.sin6_family; }
  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage_); }
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  [[nodiscard]] socklen_t size() const { return size_; }

  // What a system call that fills it in needs to know, and has changed.
  static constexpr socklen_t kCapacity = sizeof(sockaddr_in6);
  void set_size(socklen_t size) { size_ = size; }

  // nullopt if the family is neither IPv4 nor IPv6.
  [[nodiscard]] std::optional<Endpoint> endpoint() const;

  bool operator==(const SocketAddress& other) const;

 private:
  sockaddr_in6 storage_ = {};  // The larger of both; a sockaddr_in lies at its start.
  socklen_t size_ = 0;
};

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_SOCKET_ADDRESS_H_
