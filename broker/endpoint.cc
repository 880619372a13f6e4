#include "broker/endpoint.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>

#include "broker/socket_address.h"

namespace palyra::broker {
namespace {

using NameCall = int (*)(int, sockaddr*, socklen_t*);

std::optional<Endpoint> Ask(NameCall call, int fd) {
  SocketAddress address;
  socklen_t size = SocketAddress::kCapacity;
  if (call(fd, address.get(), &size) != 0) return std::nullopt;
  address.set_size(size);
  return address.endpoint();
}

}  // namespace

std::optional<Endpoint> ParseEndpoint(const std::string& address, uint16_t port) {
  const auto parsed = Address::Parse(address);
  if (!parsed) return std::nullopt;
  return Endpoint{*parsed, port};
}

std::string ToText(const Endpoint& endpoint) {
  const std::string address = endpoint.address.ToString();
  return endpoint.address.is_v4() ? fmt::format("{}:{}", address, endpoint.port)
                                  : fmt::format("[{}]:{}", address, endpoint.port);
}

std::optional<Endpoint> PeerOf(int fd) { return Ask(getpeername, fd); }

std::optional<Endpoint> LocalOf(int fd) { return Ask(getsockname, fd); }

Result<UniqueFd> ListenAt(const Endpoint& endpoint) {
  const SocketAddress address(endpoint);
  UniqueFd fd(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return FailErrno(errno, "cannot open a socket");
  const int on = 1;
  (void)setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(fd.get(), address.get(), address.size()) != 0 || listen(fd.get(), SOMAXCONN) != 0) {
    return FailErrno(errno, fmt::format("cannot listen at {}", ToText(endpoint)));
  }
  return fd;
}

}  // namespace palyra::broker
