#include "tests/unit/broker/relay_rig.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <utility>

#include "broker/socket_address.h"
#include "tests/support/subprocess.h"

namespace palyra::tests {

using broker::Endpoint;
using broker::RelayEvent;

namespace {

// A ring that ends interrupts what the thread that made it waits in.
template <typename Call>
ssize_t Uninterrupted(const Call& call) {
  ssize_t result = 0;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

ssize_t Receive(int fd, char* bytes, size_t size) {
  return Uninterrupted([&] { return recv(fd, bytes, size, 0); });
}

bool BecomesReadable(int fd, std::chrono::milliseconds limit) {
  pollfd ready = {.fd = fd, .events = POLLIN, .revents = 0};
  return Uninterrupted([&] { return poll(&ready, 1, static_cast<int>(limit.count())); }) == 1;
}

}  // namespace

std::optional<Endpoint> FakeAuthority::OriginalDestination(const Endpoint& /*client*/,
                                                           const Endpoint& /*local*/) {
  return destination;
}

std::optional<std::vector<Endpoint>> FakeAuthority::Reach(std::string_view name,
                                                          const Endpoint& asked) {
  const auto found = addresses.find(name);
  if (found == addresses.end()) return std::nullopt;
  if (asked != destination && std::ranges::find(found->second, asked) == found->second.end())
    return std::nullopt;
  return found->second;
}

void FakeAuthority::Record(const RelayEvent& event) {
  const std::lock_guard lock(mutex_);
  events_.push_back(event);
  changed_.notify_all();
}

std::vector<RelayEvent> FakeAuthority::Events(size_t count) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, kPatience, [&] { return events_.size() >= count; })) {
    throw std::runtime_error("too few events: " + std::to_string(events_.size()));
  }
  EXPECT_EQ(events_.size(), count);
  std::vector<RelayEvent> events = events_;
  if (events.size() > count)
    events.erase(events.begin() + static_cast<ptrdiff_t>(count), events.end());
  return events;
}

Peer::Peer(UniqueFd fd) : fd_(std::move(fd)) {
  const timeval patience = {.tv_sec = kPatience.count(), .tv_usec = 0};
  (void)setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  (void)setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

bool Peer::Send(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t size =
        Uninterrupted([&] { return send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL); });
    if (size <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(size));
  }
  return true;
}

size_t Peer::SendSome(std::string_view bytes) const {
  const ssize_t size = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return size > 0 ? static_cast<size_t>(size) : 0;
}

void Peer::End() const { shutdown(fd_.get(), SHUT_WR); }

void Peer::Reset() {
  const linger now = {.l_onoff = 1, .l_linger = 0};
  (void)setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  fd_.Reset();
}

std::string Peer::Read(size_t size) const {
  std::string bytes(size, '\0');
  size_t got = 0;
  while (got < size) {
    const ssize_t part = Receive(fd_.get(), bytes.data() + got, size - got);
    if (part <= 0) break;
    got += static_cast<size_t>(part);
  }
  bytes.resize(got);
  return bytes;
}

std::string Peer::ReadAll() const {
  std::string bytes;
  std::array<char, 65536> part = {};
  ssize_t size = 0;
  while ((size = Receive(fd_.get(), part.data(), part.size())) > 0) {
    bytes.append(part.data(), static_cast<size_t>(size));
  }
  const int error = errno;
  EXPECT_EQ(size, 0) << "errno " << error << " after " << bytes.size() << " bytes";
  return bytes;
}

bool Peer::WasReset() const {
  char byte = 0;
  // Where connect() has told it, the socket is one without a connection.
  return Receive(fd_.get(), &byte, 1) < 0 && (errno == ECONNRESET || errno == ENOTCONN);
}

Peer ConnectTo(const Endpoint& endpoint) {
  const broker::SocketAddress address(endpoint);
  UniqueFd fd(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  // Who is reset at once may hear of it here.
  if (connect(fd.get(), address.get(), address.size()) != 0 && errno != ECONNRESET) return {};
  return Peer(std::move(fd));
}

Endpoint Loopback(uint16_t port) { return *broker::ParseEndpoint("127.0.0.1", port); }

std::vector<UniqueFd> OneListener() {
  std::vector<UniqueFd> listeners;
  listeners.push_back(*broker::ListenAt(Loopback(0)));
  return listeners;
}

Upstream::Upstream()
    : listener_(*broker::ListenAt(Loopback(0))), endpoint_(*broker::LocalOf(listener_.get())) {}

Peer Upstream::Accept() const {
  if (!BecomesReadable(listener_.get(), kPatience)) return {};
  return Peer(UniqueFd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
}

bool Upstream::Untouched() const {
  return !BecomesReadable(listener_.get(), std::chrono::milliseconds(0));
}

RelayRig::RelayRig(const broker::RelayOptions& options)
    : listeners_(OneListener()), endpoint_(*broker::LocalOf(listeners_[0].get())) {
  std::array<int, 2> ends = {-1, -1};
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
  changed_ = UniqueFd(ends[0]);
  heard_ = UniqueFd(ends[1]);
  relay_ = *broker::Relay::Create(std::move(listeners_), authority_, options);
  thread_ = std::thread([this] {
    const auto served = relay_->Run({.life = -1, .changed = heard_.get()});
    EXPECT_TRUE(served) << served.error().message;
  });
}

void RelayRig::AskAgain() const {
  char message = 0;
  EXPECT_EQ(send(changed_.get(), &message, sizeof(message), 0), 1);
  EXPECT_EQ(recv(changed_.get(), &message, sizeof(message), 0), 1);
}

RelayRig::~RelayRig() { Stop(); }

void RelayRig::Stop() {
  relay_->Stop();
  if (thread_.joinable()) thread_.join();
}

void RelayRig::Allow(const std::string& name, const Upstream& upstream) {
  authority_.destination = upstream.endpoint();
  authority_.addresses[name] = {upstream.endpoint()};
}

bool RelayRig::WaitForOpen(size_t count) const {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (relay_->open_connections() != count) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

std::string Get(std::string_view host, std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n";
}

}  // namespace palyra::tests
