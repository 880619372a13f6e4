#include "tests/unit/engine/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "tests/unit/engine/own_kernel.h"

namespace palyra::engine {
namespace {

struct Address {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Address AddressOf(const Place& place) {
  Address address;
  if (place.is_ipv6) {
    sockaddr_in6 v6 = {};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(place.port);
    inet_pton(AF_INET6, place.address.c_str(), &v6.sin6_addr);
    std::memcpy(&address.storage, &v6, sizeof(v6));
    address.size = sizeof(v6);
  } else {
    sockaddr_in v4 = {};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(place.port);
    inet_pton(AF_INET, place.address.c_str(), &v4.sin_addr);
    std::memcpy(&address.storage, &v4, sizeof(v4));
    address.size = sizeof(v4);
  }
  return address;
}

UniqueFd MakeSocket(int type, const Place& place) {
  return UniqueFd(socket(place.is_ipv6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0));
}

bool AwaitReadable(int fd, std::chrono::milliseconds limit) {
  pollfd waited = {.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&waited, 1, static_cast<int>(limit.count())) == 1;
}

}  // namespace

UniqueFd Listen(int type, Place* place) {
  UniqueFd fd = MakeSocket(type, *place);
  const Address address = AddressOf(*place);
  sockaddr_in6 bound = {};
  socklen_t size = sizeof(bound);
  if (bind(fd.get(), address.get(), address.size) != 0 ||
      (type == SOCK_STREAM && listen(fd.get(), 64) != 0) ||
      getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
    throw std::runtime_error("cannot listen at " + place->address);
  }
  place->port = ntohs(bound.sin6_port);  // At the same offset for both families.
  return fd;
}

UniqueFd ConnectTo(int type, const Place& place) {
  UniqueFd fd = MakeSocket(type, place);
  const Address address = AddressOf(place);
  if (connect(fd.get(), address.get(), address.size) != 0) fd.Reset();
  return fd;
}

policy::NetEvent EventFor(policy::NetAction action, policy::Protocol protocol, const Place& place) {
  policy::NetEvent event = {.action = action,
                            .protocol = protocol,
                            .is_ipv6 = place.is_ipv6,
                            .address = {},
                            .port = place.port};
  inet_pton(place.is_ipv6 ? AF_INET6 : AF_INET, place.address.c_str(), event.address.data());
  return event;
}

UniqueFd AcceptFrom(int listener) {
  if (!AwaitReadable(listener, kPatience)) throw std::runtime_error("nobody connected");
  return UniqueFd(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
}

size_t ReadWhatIsThere(int fd) {
  std::array<char, 4096> buffer;
  size_t sum = 0;
  while (true) {
    const ssize_t size = recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size <= 0) return sum;
    sum += static_cast<size_t>(size);
  }
}

size_t ReadWithin(int fd, std::chrono::milliseconds limit) {
  return AwaitReadable(fd, limit) ? ReadWhatIsThere(fd) : 0;
}

Inside::Inside(const std::string& path, const std::function<int()>& body) {
  std::array<int, 2> ends = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw std::runtime_error("no socket pair");
  }
  channel_.Reset(ends[0]);
  const UniqueFd theirs(ends[1]);
  pid_ = StartInCgroup(
      path,
      [&] {
        const int answer = body();
        (void)!write(theirs.get(), &answer, sizeof(answer));
        SleepForever();  // Its sockets stay open.
      },
      theirs.get());
}

Inside::~Inside() { End(pid_); }

int Inside::Answer() const {
  int answer = -1;
  if (!AwaitReadable(channel_.get(), kPatience)) return -1;
  return read(channel_.get(), &answer, sizeof(answer)) == sizeof(answer) ? answer : -1;
}

policy::RuleSet Everything(policy::Verdict verdict) {
  policy::RuleSet rules = {.prefixes = {},
                           .classes = {{}},
                           .reasons = {{.layers = {{policy::Layer::kCaller, {}}}},
                                       {.layers = {{policy::Layer::kCaller, {"everything"}}}}}};
  if (verdict == policy::Verdict::kDeny) return rules;
  rules.classes[0].spans.push_back({.first = 0,
                                    .last = 65535,
                                    .actions = 0b11111,
                                    .protocols = 0b11111,
                                    .verdict = verdict,
                                    .reason = 1});
  return rules;
}

}  // namespace palyra::engine
