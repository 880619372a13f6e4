#include "tests/unit/broker/fake_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <stdexcept>
#include <utility>

#include "broker/socket_address.h"
#include "tests/support/subprocess.h"

namespace palyra::broker {
namespace {

const Address kLoopback = Address::V4({127, 0, 0, 1});

uint16_t PortOf(const sockaddr_in& address) { return ntohs(address.sin_port); }

UniqueFd Bound(int type, const Endpoint& endpoint) {
  UniqueFd fd(socket(AF_INET, type | SOCK_CLOEXEC, 0));
  const SocketAddress address(endpoint);
  const int on = 1;  // A server before this one may have closed connections there.
  if (type == SOCK_STREAM) setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(fd.get(), address.get(), address.size()) != 0) return {};
  if (type == SOCK_STREAM && listen(fd.get(), 64) != 0) return {};
  return fd;
}

uint16_t BoundPort(int fd) {
  sockaddr_in address = {};
  socklen_t size = sizeof(address);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return PortOf(address);
}

Asked Read(const Bytes& packet) {
  Asked asked{.packet = packet, .id = IdOf(packet), .name = {}, .type = 0, .over_tcp = false};
  size_t position = 12;
  while (position < packet.size() && packet[position] != 0) {
    if (!asked.name.empty()) asked.name += '.';
    const size_t end = position + 1 + packet[position];
    for (++position; position < end && position < packet.size(); ++position) {
      asked.name += static_cast<char>(packet[position]);
    }
  }
  asked.type = U16At(packet, position + 1);
  return asked;
}

bool ReadFull(int fd, Bytes& bytes) {
  return recv(fd, bytes.data(), bytes.size(), MSG_WAITALL) == static_cast<ssize_t>(bytes.size());
}

}  // namespace

SocketPair OpenSocketPair() {
  for (int i = 0; i < 100; ++i) {
    SocketPair pair;
    pair.udp = Bound(SOCK_DGRAM, {kLoopback, 0});
    pair.port = BoundPort(pair.udp.get());
    pair.tcp = Bound(SOCK_STREAM, {kLoopback, pair.port});
    if (pair.tcp.valid()) return pair;
  }
  throw std::runtime_error("no port is free for both UDP and TCP");
}

Message ResponseTo(const Asked& asked, uint16_t flags) {
  Message message(asked.id, static_cast<uint16_t>(kQr | kRd | kRa | flags));
  message.Question(asked.name, asked.type);
  return message;
}

FakeServer::FakeServer(Script script)
    : script_(std::move(script)), stop_(eventfd(0, EFD_CLOEXEC)), endpoint_{kLoopback, 0} {
  SocketPair pair = OpenSocketPair();
  udp_ = std::move(pair.udp);
  tcp_ = std::move(pair.tcp);
  endpoint_.port = pair.port;
  thread_ = std::thread([this] { Serve(); });
}

FakeServer::FakeServer(Script script, const Address& address)
    : script_(std::move(script)),
      udp_(Bound(SOCK_DGRAM, {address, kDnsPort})),
      tcp_(Bound(SOCK_STREAM, {address, kDnsPort})),
      stop_(eventfd(0, EFD_CLOEXEC)),
      endpoint_{address, kDnsPort} {
  if (!udp_.valid() || !tcp_.valid()) throw std::runtime_error("cannot listen at port 53");
  thread_ = std::thread([this] { Serve(); });
}

FakeServer::~FakeServer() {
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

Endpoint FakeServer::endpoint() const { return endpoint_; }

std::vector<Asked> FakeServer::asked() const {
  const std::lock_guard lock(mutex_);
  return asked_;
}

void FakeServer::WaitForCount(size_t count) const {
  const auto deadline = std::chrono::steady_clock::now() + tests::kPatience;
  while (this->count() < count && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void FakeServer::Serve() {
  std::array<pollfd, 3> watched = {
      {{stop_.get(), POLLIN, 0}, {udp_.get(), POLLIN, 0}, {tcp_.get(), POLLIN, 0}}};
  while (poll(watched.data(), watched.size(), -1) > 0 && watched[0].revents == 0) {
    if (watched[1].revents != 0) ServeUdp();
    if (watched[2].revents != 0) ServeTcp();
  }
}

Messages FakeServer::Respond(const Asked& asked) {
  {
    const std::lock_guard lock(mutex_);
    asked_.push_back(asked);
  }
  return script_(asked);
}

void FakeServer::ServeUdp() {
  Bytes packet(4096);
  sockaddr_in peer = {};
  socklen_t size = sizeof(peer);
  const ssize_t count = recvfrom(udp_.get(), packet.data(), packet.size(), 0,
                                 reinterpret_cast<sockaddr*>(&peer), &size);
  if (count < 0) return;
  packet.resize(static_cast<size_t>(count));
  Asked asked = Read(packet);
  asked.port = PortOf(peer);
  for (const Bytes& response : Respond(asked)) {
    sendto(udp_.get(), response.data(), response.size(), 0, reinterpret_cast<sockaddr*>(&peer),
           size);
  }
}

// One query on a connection.
void FakeServer::ServeTcp() {
  const UniqueFd fd(accept4(tcp_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  Bytes size(2);
  if (!ReadFull(fd.get(), size)) return;
  Bytes packet(U16At(size, 0));
  if (!ReadFull(fd.get(), packet)) return;
  Asked asked = Read(packet);
  asked.over_tcp = true;
  for (const Bytes& response : Respond(asked)) {
    const Bytes framed = WirePointer(static_cast<uint16_t>(response.size())) + response;
    // In pieces, as a network may deliver it.
    for (size_t i = 0; i < framed.size(); i += 7) {
      send(fd.get(), &framed[i], std::min<size_t>(7, framed.size() - i), MSG_NOSIGNAL);
    }
  }
}

}  // namespace palyra::broker
