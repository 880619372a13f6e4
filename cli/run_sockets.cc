#include "cli/run_sockets.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <optional>
#include <span>

namespace palyra::cli {
namespace {

constexpr int kBacklog = 1024;
constexpr int kOn = 1;

bool IsWithoutIpv6(int failure) { return failure == EAFNOSUPPORT || failure == EADDRNOTAVAIL; }

Result<void> AttachForGood(int fd, std::span<sock_filter> program) {
  const sock_fprog filter = {.len = static_cast<unsigned short>(program.size()),
                             .filter = program.data()};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) != 0 ||
      setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &kOn, sizeof(kOn)) != 0) {
    return FailErrno(errno, "cannot filter what comes to a socket");
  }
  return {};
}

// From then on the socket takes only packets with that mark: those of the run. Packets of others
// cannot have it, for it takes CAP_NET_ADMIN to set one (socket(7), SO_MARK).
//
// A listener of TCP, and what it accepts, take no SYN without it (RFC 9293 section 3.1: the byte at
// 13), so that nobody else has a connection. What the kernel sends for a client that is gone is of
// no socket, and without mark before Linux 6.13: resets, and what acknowledges the end.
Result<void> TakeOnlyMarked(int fd, int type, uint32_t mark) {
  constexpr auto kMarkAt = static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_MARK);
  constexpr uint32_t kFlagsAt = 13;
  constexpr uint32_t kSyn = 0x02;
  if (type == SOCK_STREAM) {
    std::array<sock_filter, 6> program = {{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kMarkAt),
                                           BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, mark, 2, 0),
                                           BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kFlagsAt),
                                           BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, kSyn, 1, 0),
                                           BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
                                           BPF_STMT(BPF_RET | BPF_K, 0)}};
    return AttachForGood(fd, program);
  }
  std::array<sock_filter, 4> program = {
      {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kMarkAt), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, mark, 0, 1),
       BPF_STMT(BPF_RET | BPF_K, UINT32_MAX), BPF_STMT(BPF_RET | BPF_K, 0)}};
  return AttachForGood(fd, program);
}

// On loopback of `family`; any port where it is 0. The error is one of bind(2).
Result<UniqueFd> BindLoopback(int family, int type, uint16_t port, uint32_t mark) {
  UniqueFd fd(socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return FailErrno(errno, "cannot make a socket for the run");
  if (Result<void> filtered = TakeOnlyMarked(fd.get(), type, mark); !filtered) {
    return std::unexpected(filtered.error());
  }
  sockaddr_in ipv4 = {};
  ipv4.sin_family = AF_INET;
  ipv4.sin_port = htons(port);
  ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in6 ipv6 = {};
  ipv6.sin6_family = AF_INET6;
  ipv6.sin6_port = htons(port);
  ipv6.sin6_addr = in6addr_loopback;
  const bool is_ipv6 = family == AF_INET6;
  const int bound = is_ipv6 ? bind(fd.get(), reinterpret_cast<sockaddr*>(&ipv6), sizeof(ipv6))
                            : bind(fd.get(), reinterpret_cast<sockaddr*>(&ipv4), sizeof(ipv4));
  if (bound != 0 || (type == SOCK_STREAM && listen(fd.get(), kBacklog) != 0)) {
    return FailErrno(errno, "cannot bind a socket for the run");
  }
  return fd;
}

Result<uint16_t> PortOf(int fd) {
  sockaddr_in address = {};
  socklen_t size = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return FailErrno(errno, "cannot tell the port of a socket");
  }
  return ntohs(address.sin_port);
}

struct Kind {
  int family;
  int type;
};

// Somebody else may have the port in part: nothing then.
Result<std::optional<RunSockets>> TryPort(std::span<const Kind> kinds, uint32_t mark) {
  RunSockets sockets;
  for (const auto& [family, type] : kinds) {
    Result<UniqueFd> fd = BindLoopback(family, type, sockets.port, mark);
    if (!fd && fd.error().system_errno == EADDRINUSE) return std::nullopt;
    if (!fd && family == AF_INET6 && IsWithoutIpv6(fd.error().system_errno)) continue;
    if (!fd) return std::unexpected(fd.error());
    if (sockets.port == 0) {
      const Result<uint16_t> port = PortOf(fd->get());
      if (!port) return std::unexpected(port.error());
      sockets.port = *port;
    }
    (type == SOCK_DGRAM ? sockets.udp : sockets.tcp).push_back(*std::move(fd));
  }
  return sockets;
}

}  // namespace

Result<uint32_t> RandomMark() {
  uint32_t mark = 0;
  while (mark == 0) {
    if (getrandom(&mark, sizeof(mark), 0) != sizeof(mark)) {
      return FailErrno(errno, "no random number for a mark");
    }
  }
  return mark;
}

Result<RunSockets> OpenRunSockets(RunProtocols protocols, uint32_t mark) {
  constexpr int kMostTries = 64;
  constexpr std::array<Kind, 4> kKinds = {{{AF_INET, SOCK_DGRAM},
                                           {AF_INET6, SOCK_DGRAM},
                                           {AF_INET, SOCK_STREAM},
                                           {AF_INET6, SOCK_STREAM}}};
  const std::span<const Kind> all(kKinds);
  for (int i = 0; i < kMostTries; ++i) {
    Result<std::optional<RunSockets>> sockets =
        TryPort(protocols == RunProtocols::kTcp ? all.last(2) : all, mark);
    if (!sockets) return std::unexpected(sockets.error());
    if (*sockets) return **std::move(sockets);
  }
  return Fail(ErrorCode::kExhausted, "no free port for the run");
}

}  // namespace palyra::cli
