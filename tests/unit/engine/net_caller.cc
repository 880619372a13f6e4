#include "tests/unit/engine/net_caller.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "base/file.h"
#include "tests/support/subprocess.h"
#include "tests/unit/engine/own_kernel.h"

namespace palyra::engine {
namespace {

using policy::NetAction;
using policy::NetEvent;
using policy::Protocol;

int IpProtocol(Protocol protocol) {
  static constexpr std::array<int, policy::kProtocolCount> kNumbers = {
      IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE, IPPROTO_ICMP, IPPROTO_ICMPV6};
  return kNumbers.at(static_cast<size_t>(protocol));
}

UniqueFd MakeSocket(const NetEvent& call) {
  const int type = call.protocol == Protocol::kTcp ? SOCK_STREAM : SOCK_DGRAM;
  return UniqueFd(socket(call.is_ipv6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK,
                         IpProtocol(call.protocol)));
}

struct Address {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Address AddressOf(const NetEvent& call) {
  Address address;
  if (call.is_ipv6) {
    sockaddr_in6 v6 = {};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(call.port);
    std::memcpy(&v6.sin6_addr, call.address.data(), sizeof(v6.sin6_addr));
    std::memcpy(&address.storage, &v6, sizeof(v6));
    address.size = sizeof(v6);
  } else {
    sockaddr_in v4 = {};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(call.port);
    std::memcpy(&v4.sin_addr, call.address.data(), sizeof(v4.sin_addr));
    std::memcpy(&address.storage, &v4, sizeof(v4));
    address.size = sizeof(v4);
  }
  return address;
}

// An echo request where the kernel insists on one, anything elsewhere.
std::array<uint8_t, 8> PayloadFor(Protocol protocol) {
  std::array<uint8_t, 8> payload = {};
  if (protocol == Protocol::kIcmp) payload[0] = ICMP_ECHO;
  if (protocol == Protocol::kIcmpv6) payload[0] = ICMP6_ECHO_REQUEST;
  return payload;
}

int Call(const NetEvent& call) {
  const UniqueFd made = MakeSocket(call);
  if (!made.valid()) return kNoSocket;
  const int on = 1;
  setsockopt(made.get(), SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
  const Address address = AddressOf(call);
  const std::array<uint8_t, 8> payload = PayloadFor(call.protocol);
  if (call.action == NetAction::kSend) {
    const ssize_t sent =
        sendto(made.get(), payload.data(), payload.size(), 0, address.get(), address.size);
    return sent < 0 ? errno : 0;
  }
  if (call.action == NetAction::kBind) {
    return bind(made.get(), address.get(), address.size) == 0 ? 0 : errno;
  }
  if (connect(made.get(), address.get(), address.size) != 0) return errno;
  // No packet goes to port 0.
  if (call.protocol == Protocol::kTcp) return 0;
  if (send(made.get(), payload.data(), payload.size(), 0) < 0 && errno == EPERM) {
    return kAllowedThenDenied;
  }
  return 0;
}

void Serve(int channel) {
  NetEvent call;
  while (read(channel, &call, sizeof(call)) == sizeof(call)) {
    const int answer = Call(call);
    if (write(channel, &answer, sizeof(answer)) != sizeof(answer)) return;
  }
}

}  // namespace

NetCaller::NetCaller(const std::string& path) {
  std::array<int, 2> ends = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw std::runtime_error("no socket pair");
  }
  channel_.Reset(ends[0]);
  const UniqueFd theirs(ends[1]);
  pid_ = StartInCgroup(path, [&theirs] { Serve(theirs.get()); }, theirs.get());
}

NetCaller::~NetCaller() { End(pid_); }

int NetCaller::Try(const NetEvent& call) const {
  int answer = 0;
  if (write(channel_.get(), &call, sizeof(call)) != sizeof(call) ||
      read(channel_.get(), &answer, sizeof(answer)) != sizeof(answer)) {
    throw std::runtime_error("the caller is gone");
  }
  return answer;
}

void EnterNetworkWhereAllIsLocal() {
  if (unshare(CLONE_NEWNET) != 0) throw std::runtime_error("no network namespace");
  const Result<UniqueFd> range = base::OpenFile("/proc/sys/net/ipv4/ping_group_range", O_WRONLY);
  if (!range || !base::WriteAll(range->get(), "0 2147483647", "ping_group_range")) {
    throw std::runtime_error("no ping sockets");
  }
  tests::SpawnOptions options;
  options.input =
      "link set lo up\n"
      "route add local 0.0.0.0/0 dev lo\n"
      "route add local ::/0 dev lo\n";
  const char* program = access("/usr/sbin/ip", X_OK) == 0 ? "/usr/sbin/ip" : "/sbin/ip";
  const tests::Ended ended = tests::RunProgram({program, "-batch", "-"}, options);
  if (ended.status != 0) throw std::runtime_error("ip failed: " + tests::Describe(ended));
}

bool HasUdplite() {
  return UniqueFd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDPLITE)).valid();
}

}  // namespace palyra::engine
