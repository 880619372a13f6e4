#include "broker/endpoint.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace palyra::broker {
namespace {

constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr size_t kIpv4Size = 4;

Endpoint FromIpv6(const in6_addr& address, uint16_t port) {
  Endpoint endpoint = {.is_ipv6 = true, .port = port};
  std::ranges::copy(address.s6_addr, endpoint.address.begin());
  if (!std::equal(kMapped.begin(), kMapped.end(), endpoint.address.begin())) return endpoint;
  Endpoint plain = {.port = port};
  std::copy_n(endpoint.address.begin() + kMapped.size(), kIpv4Size, plain.address.begin());
  return plain;
}

using NameCall = int (*)(int, sockaddr*, socklen_t*);

std::optional<Endpoint> Ask(NameCall call, int fd) {
  SocketAddress address;
  address.size = sizeof(address.storage);
  if (call(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.size) != 0) {
    return std::nullopt;
  }
  return ToEndpoint(address);
}

}  // namespace

std::optional<Endpoint> ParseEndpoint(const std::string& address, uint16_t port) {
  Endpoint endpoint = {.port = port};
  if (inet_pton(AF_INET, address.c_str(), endpoint.address.data()) == 1) return endpoint;
  in6_addr ipv6 = {};
  if (inet_pton(AF_INET6, address.c_str(), &ipv6) != 1) return std::nullopt;
  return FromIpv6(ipv6, port);
}

std::string ToText(const Endpoint& endpoint) {
  std::array<char, INET6_ADDRSTRLEN> text = {};
  inet_ntop(endpoint.is_ipv6 ? AF_INET6 : AF_INET, endpoint.address.data(), text.data(),
            text.size());
  return endpoint.is_ipv6 ? fmt::format("[{}]:{}", text.data(), endpoint.port)
                          : fmt::format("{}:{}", text.data(), endpoint.port);
}

SocketAddress ToSocketAddress(const Endpoint& endpoint) {
  SocketAddress address;
  if (endpoint.is_ipv6) {
    sockaddr_in6 ipv6 = {};
    ipv6.sin6_family = AF_INET6;
    ipv6.sin6_port = htons(endpoint.port);
    std::ranges::copy(endpoint.address, ipv6.sin6_addr.s6_addr);
    std::memcpy(&address.storage, &ipv6, sizeof(ipv6));
    address.size = sizeof(ipv6);
  } else {
    sockaddr_in ipv4 = {};
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = htons(endpoint.port);
    std::memcpy(&ipv4.sin_addr, endpoint.address.data(), kIpv4Size);
    std::memcpy(&address.storage, &ipv4, sizeof(ipv4));
    address.size = sizeof(ipv4);
  }
  return address;
}

std::optional<Endpoint> ToEndpoint(const SocketAddress& address) {
  if (address.storage.ss_family == AF_INET) {
    sockaddr_in ipv4 = {};
    std::memcpy(&ipv4, &address.storage, sizeof(ipv4));
    Endpoint endpoint = {.port = ntohs(ipv4.sin_port)};
    std::memcpy(endpoint.address.data(), &ipv4.sin_addr, kIpv4Size);
    return endpoint;
  }
  if (address.storage.ss_family != AF_INET6) return std::nullopt;
  sockaddr_in6 ipv6 = {};
  std::memcpy(&ipv6, &address.storage, sizeof(ipv6));
  return FromIpv6(ipv6.sin6_addr, ntohs(ipv6.sin6_port));
}

std::optional<Endpoint> PeerOf(int fd) { return Ask(getpeername, fd); }

std::optional<Endpoint> LocalOf(int fd) { return Ask(getsockname, fd); }

Result<UniqueFd> ListenAt(const Endpoint& endpoint) {
  UniqueFd fd(socket(endpoint.is_ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return FailErrno(errno, "cannot open a socket");
  const int on = 1;
  (void)setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const SocketAddress address = ToSocketAddress(endpoint);
  if (bind(fd.get(), address.get(), address.size) != 0 || listen(fd.get(), SOMAXCONN) != 0) {
    return FailErrno(errno, fmt::format("cannot listen at {}", ToText(endpoint)));
  }
  return fd;
}

}  // namespace palyra::broker
