#include "tests/support/listeners.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>

namespace palyra::tests {
namespace {

constexpr uint64_t kStop = ~uint64_t{0};
constexpr uint64_t kConnection = uint64_t{1} << 32;

bool IsStream(Transport transport) {
  return transport == Transport::kTcp || transport == Transport::kMptcp;
}

int ProtocolOf(Transport transport) {
  switch (transport) {
    case Transport::kMptcp:
      return IPPROTO_MPTCP;
    case Transport::kUdplite:
      return IPPROTO_UDPLITE;
    case Transport::kTcp:
    case Transport::kUdp:
      break;
  }
  return 0;
}

// Binds to a literal address; false with errno set.
bool Bind(int fd, const std::string& address, int port) {
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const auto network_port = htons(static_cast<uint16_t>(port));
  sockaddr_in v4 = {};
  if (inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = network_port;
    return bind(fd, reinterpret_cast<const sockaddr*>(&v4), sizeof(v4)) == 0;
  }
  sockaddr_in6 v6 = {};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = network_port;
  inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr);
  return bind(fd, reinterpret_cast<const sockaddr*>(&v6), sizeof(v6)) == 0;
}

void Watch(int epoll, int fd, uint64_t tag) {
  epoll_event event = {.events = EPOLLIN, .data = {.u64 = tag}};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) throw std::runtime_error("epoll failed");
}

}  // namespace

int PortOf(Transport transport) { return 7001 + static_cast<int>(transport); }

Listeners::Listeners(const std::vector<std::string_view>& addresses,
                     const std::vector<Transport>& transports)
    : epoll_(epoll_create1(EPOLL_CLOEXEC)), stop_(eventfd(0, EFD_CLOEXEC)) {
  for (const std::string_view address : addresses) {
    for (const Transport transport : transports) Open(address, transport);
  }
  for (size_t i = 0; i < servers_.size(); ++i) Watch(epoll_.get(), servers_[i].fd.get(), i);
  Watch(epoll_.get(), stop_.get(), kStop);
  thread_ = std::thread([this] { Serve(); });
}

Listeners::~Listeners() {
  const uint64_t one = 1;
  if (write(stop_.get(), &one, sizeof(one)) == sizeof(one)) thread_.join();
}

void Listeners::Open(std::string_view address, Transport transport) {
  const std::string text(address);
  const int family = text.find(':') == std::string::npos ? AF_INET : AF_INET6;
  const int type = IsStream(transport) ? SOCK_STREAM : SOCK_DGRAM;
  UniqueFd fd(socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, ProtocolOf(transport)));
  if (!fd.valid() && ProtocolOf(transport) != 0) return;
  if (!fd.valid() || !Bind(fd.get(), text, PortOf(transport)) ||
      (IsStream(transport) && listen(fd.get(), SOMAXCONN) != 0)) {
    throw std::runtime_error("cannot listen at " + text + ": " + std::strerror(errno));
  }
  servers_.push_back({std::move(fd), text, transport, {}});
}

void Listeners::Serve() {
  std::array<epoll_event, 16> events;
  while (true) {
    const int count = epoll_wait(epoll_.get(), events.data(), events.size(), -1);
    for (int i = 0; i < count; ++i) {
      const uint64_t tag = events.at(static_cast<size_t>(i)).data.u64;
      if (tag == kStop) return;
      if ((tag & kConnection) != 0) {
        Drain(static_cast<int>(tag & ~kConnection));
      } else if (IsStream(servers_[tag].transport)) {
        Accept(tag);
      } else {
        Receive(servers_[tag].fd.get(), tag);
      }
    }
  }
}

void Listeners::Accept(size_t server) {
  UniqueFd fd(accept4(servers_[server].fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd.valid()) return;
  const int number = fd.get();
  connections_[number] = {std::move(fd), server};
  Watch(epoll_.get(), number, kConnection | static_cast<uint64_t>(number));
  const std::lock_guard lock(mutex_);
  ++servers_[server].heard.connections;
}

void Listeners::Receive(int fd, size_t server) {
  std::array<char, 4096> buffer;
  const ssize_t count = recv(fd, buffer.data(), buffer.size(), 0);
  if (count <= 0) return;
  const std::lock_guard lock(mutex_);
  servers_[server].heard.bytes += static_cast<uint64_t>(count);
  changed_.notify_all();
}

void Listeners::Drain(int fd) {
  std::array<char, 4096> buffer;
  const auto found = connections_.find(fd);
  if (found == connections_.end()) return;
  const ssize_t count = recv(fd, buffer.data(), buffer.size(), 0);
  if (count <= 0) {
    // A child between fork and exec still holds the connection, and epoll goes by that, not by our
    // descriptor: without this the end would be told again after the erasure.
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    connections_.erase(found);
    return;
  }
  const std::lock_guard lock(mutex_);
  servers_[found->second.server].heard.bytes += static_cast<uint64_t>(count);
  changed_.notify_all();
}

Listeners::Server* Listeners::Find(std::string_view address, Transport transport) {
  const auto found = std::ranges::find_if(servers_, [&](const Server& server) {
    return server.address == address && server.transport == transport;
  });
  if (found == servers_.end()) throw std::logic_error("no such server");
  return &*found;
}

bool Listeners::Has(Transport transport) const {
  return std::ranges::any_of(
      servers_, [transport](const Server& server) { return server.transport == transport; });
}

Heard Listeners::At(std::string_view address, Transport transport) {
  const std::lock_guard lock(mutex_);
  return Find(address, transport)->heard;
}

bool Listeners::WaitForMore(std::string_view address, Transport transport, uint64_t bytes,
                            std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  const Server* server = Find(address, transport);
  return changed_.wait_for(lock, limit, [&] { return server->heard.bytes > bytes; });
}

}  // namespace palyra::tests
