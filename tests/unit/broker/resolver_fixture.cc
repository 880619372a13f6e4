#include "tests/unit/broker/resolver_fixture.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <stdexcept>
#include <utility>

#include "broker/dns_response.h"
#include "broker/socket_address.h"
#include "tests/support/subprocess.h"

namespace palyra::broker {
namespace {

bool IsReadable(int fd, std::chrono::milliseconds limit) {
  pollfd watched = {fd, POLLIN, 0};
  return poll(&watched, 1, static_cast<int>(limit.count())) == 1;
}

UniqueFd Connected(int type, const Endpoint& endpoint) {
  UniqueFd fd(socket(AF_INET, type | SOCK_CLOEXEC, 0));
  const SocketAddress address(endpoint);
  EXPECT_EQ(connect(fd.get(), address.get(), address.size()), 0);
  return fd;
}

std::expected<Answer, ResponseFault> Read(const Bytes& reply, std::string_view name,
                                          uint16_t type) {
  return ParseResponse(reply, IdOf(reply), {std::string(name), static_cast<RecordType>(type)});
}

}  // namespace

bool FakeAuthority::MayAsk(std::string_view name) { return !name.starts_with("denied"); }

bool FakeAuthority::MayReveal(std::string_view, const Address& address) {
  const std::lock_guard lock(mutex_);
  return revealed_.contains(address.ToString());
}

AddressSet FakeAuthority::Learn(std::string_view name, std::span<const Address> addresses,
                                std::chrono::seconds ttl) {
  const std::lock_guard lock(mutex_);
  Learned learned{.name = std::string(name), .addresses = {}, .ttl = ttl};
  AddressSet told;
  for (size_t i = 0; i < addresses.size(); ++i) {
    learned.addresses.push_back(addresses[i].ToString());
    told[i] = !not_learned_.contains(learned.addresses.back());
  }
  learned_.push_back(std::move(learned));
  return told;
}

void FakeAuthority::Settle(std::string_view name, NameOutcome outcome) {
  const std::lock_guard lock(mutex_);
  settled_.emplace_back(name, outcome);
}

void FakeAuthority::Reveal(const std::string& address) {
  const std::lock_guard lock(mutex_);
  revealed_.insert(address);
}

void FakeAuthority::RefuseToLearn(const std::string& address) {
  const std::lock_guard lock(mutex_);
  not_learned_.insert(address);
}

std::vector<Learned> FakeAuthority::learned() const {
  const std::lock_guard lock(mutex_);
  return learned_;
}

std::vector<std::pair<std::string, NameOutcome>> FakeAuthority::settled() const {
  const std::lock_guard lock(mutex_);
  return settled_;
}

ResolverOptions PatientOptions() {
  ResolverOptions options;
  options.upstream_timeout = tests::kPatience;
  options.tcp_idle_timeout = tests::kPatience;
  return options;
}

ResolverOptions HastyOptions() {
  ResolverOptions options = PatientOptions();
  options.upstream_timeout = std::chrono::milliseconds(50);
  return options;
}

RunningResolver::RunningResolver(std::vector<Endpoint> servers, ResolverOptions options)
    : stop_(eventfd(0, EFD_CLOEXEC)) {
  options.now = [this] {
    return std::chrono::steady_clock::now() + std::chrono::milliseconds(offset_);
  };
  SocketPair pair = OpenSocketPair();
  port_ = pair.port;
  ResolverSockets sockets;
  sockets.udp.push_back(std::move(pair.udp));
  sockets.tcp.push_back(std::move(pair.tcp));
  auto resolver = Resolver::Create(std::move(sockets), std::move(servers), options, authority_);
  if (!resolver) throw std::runtime_error(resolver.error().message);
  resolver_ = *std::move(resolver);
  EXPECT_TRUE(resolver_->Preflight(stop_.get()));
  thread_ = std::thread([this] { EXPECT_TRUE(resolver_->Run(stop_.get())); });
}

RunningResolver::~RunningResolver() { Stop(); }

const ResolverCounters& RunningResolver::Stop() {
  if (thread_.joinable()) {
    eventfd_write(stop_.get(), 1);
    thread_.join();
  }
  return resolver_->counters();
}

UdpClient::UdpClient(const RunningResolver& resolver)
    : fd_(Connected(SOCK_DGRAM, resolver.endpoint())) {}

void UdpClient::Send(const Bytes& packet) const {
  EXPECT_EQ(send(fd_.get(), packet.data(), packet.size(), 0), std::ssize(packet));
}

Bytes UdpClient::Receive(std::chrono::milliseconds limit) const {
  Bytes bytes(65536);
  if (!IsReadable(fd_.get(), limit)) return {};
  const ssize_t size = recv(fd_.get(), bytes.data(), bytes.size(), 0);
  bytes.resize(size > 0 ? static_cast<size_t>(size) : 0);
  return bytes;
}

Bytes UdpClient::Receive() const { return Receive(tests::kPatience); }

Bytes UdpClient::Ask(const Bytes& packet) const {
  Send(packet);
  return Receive();
}

Bytes UdpClient::Ask(std::string_view name, uint16_t type) const {
  return Ask(Message(0x1111, kRd).Question(name, type).bytes());
}

TcpClient::TcpClient(const RunningResolver& resolver)
    : fd_(Connected(SOCK_STREAM, resolver.endpoint())) {}

void TcpClient::Send(const Bytes& bytes) const {
  size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t count = send(fd_.get(), &bytes[sent], bytes.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return;
    sent += static_cast<size_t>(count);
  }
}

Bytes TcpClient::Receive() const {
  Bytes size(2);
  if (!IsReadable(fd_.get(), tests::kPatience)) return {};
  if (recv(fd_.get(), size.data(), 2, MSG_WAITALL) != 2) return {};
  Bytes message(U16At(size, 0));
  if (recv(fd_.get(), message.data(), message.size(), MSG_WAITALL) != std::ssize(message)) {
    return {};
  }
  return message;
}

bool TcpClient::IsClosed() const {
  uint8_t byte = 0;
  return IsReadable(fd_.get(), tests::kPatience) && recv(fd_.get(), &byte, 1, 0) <= 0;
}

void TcpClient::Finish() const { shutdown(fd_.get(), SHUT_WR); }

Bytes Framed(const Bytes& message) {
  return WirePointer(static_cast<uint16_t>(message.size())) + message;
}

std::vector<std::string> AddressesIn(const Bytes& reply, std::string_view name, uint16_t type) {
  Texts texts;
  if (const auto answer = Read(reply, name, type)) {
    for (const Address& address : answer->addresses) texts.push_back(address.ToString());
  }
  return texts;
}

std::chrono::seconds TtlIn(const Bytes& reply, std::string_view name, uint16_t type) {
  const auto answer = Read(reply, name, type);
  return answer ? answer->ttl : std::chrono::seconds(-1);
}

FakeServer::Script Always(std::vector<std::string> addresses, uint32_t ttl) {
  return [addresses = std::move(addresses), ttl](const Asked& asked) -> Messages {
    Message message = ResponseTo(asked);
    for (const std::string& address : addresses) {
      const bool is_v4 = address.find(':') == std::string::npos;
      if (is_v4 != (asked.type == kTypeA)) continue;
      message.Answer(WirePointer(kToQuestion), asked.type, ttl,
                     is_v4 ? WireV4(address) : WireV6(address));
    }
    return {message.bytes()};
  };
}

}  // namespace palyra::broker
