// Socket families beside IPv4 and IPv6, and other entries into the kernel than the usual one.

#include <linux/netlink.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <vector>

#include "tests/probes/target.h"

namespace palyra::probes {
namespace {

struct Family {
  const char* name;
  int number;
  int type;
  int protocol;
};

constexpr std::array kFamilies = {
    Family{"vsock", AF_VSOCK, SOCK_STREAM, 0},
    Family{"alg", AF_ALG, SOCK_SEQPACKET, 0},
    Family{"packet", AF_PACKET, SOCK_RAW, 0},
    Family{"key", AF_KEY, SOCK_RAW, 2},
    Family{"xdp", AF_XDP, SOCK_RAW, 0},
    Family{"can", AF_CAN, SOCK_RAW, 1},
    Family{"tipc", AF_TIPC, SOCK_SEQPACKET, 0},
    Family{"bluetooth", AF_BLUETOOTH, SOCK_SEQPACKET, 0},
    Family{"rds", AF_RDS, SOCK_SEQPACKET, 0},
    Family{"smc", AF_SMC, SOCK_STREAM, 0},
    Family{"kcm", AF_KCM, SOCK_DGRAM, 0},
    Family{"qipcrtr", AF_QIPCRTR, SOCK_DGRAM, 0},
    Family{"old-packet", AF_INET, SOCK_PACKET, 3},
    Family{"sctp", AF_INET, SOCK_STREAM, IPPROTO_SCTP},
    Family{"dccp", AF_INET, SOCK_DCCP, IPPROTO_DCCP},
};

Outcome TrySocket(int family, int type, int protocol) {
  const UniqueFd fd(socket(family, type | SOCK_CLOEXEC, protocol));
  return fd.valid() ? Allowed() : FromErrno(errno);
}

// Those that are assigned are below AF_MAX; some more, with bits that a filter might not look at.
std::vector<int> AllNumbers() {
  std::vector<int> numbers = {64, 127, 128, 255, 256 + AF_INET, 1 << 16, INT_MIN | AF_INET, -1};
  for (int family = 0; family < 64; ++family) numbers.push_back(family);
  return numbers;
}

Outcome Socket(Arguments arguments) {
  for (const Family& family : kFamilies) {
    if (std::strcmp(family.name, arguments[0]) != 0) continue;
    return TrySocket(family.number, family.type, family.protocol);
  }
  return CouldNotTry(EINVAL, "family");
}

Outcome NetlinkRoute(Arguments) { return TrySocket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE); }

// Every address family that is none of the four that runs may have, and numbers that are none, with
// every type. Those that opened are the detail; the errno is the last one.
Outcome OtherFamilies(Arguments) {
  Outcome worst = CouldNotTry(0);
  std::string opened;
  for (const int family : AllNumbers()) {
    if (family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK) {
      continue;
    }
    for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_RDM, SOCK_SEQPACKET}) {
      const Outcome outcome = TrySocket(family, type, 0);
      if (outcome.status == Status::kAllowed) {
        opened += (opened.empty() ? "" : ",") + std::to_string(family);
      }
      if (outcome.status != Status::kCouldNotTry) worst = outcome;
    }
  }
  if (!opened.empty()) return {Status::kAllowed, 0, "families:" + opened};
  return worst;
}

// Every netlink protocol but routing. Those that opened are the detail; the errno is the last one.
Outcome NetlinkKinds(Arguments) {
  Outcome worst = CouldNotTry(0);
  std::string opened;
  for (int protocol = 1; protocol < MAX_LINKS; ++protocol) {
    const Outcome outcome = TrySocket(AF_NETLINK, SOCK_RAW, protocol);
    if (outcome.status == Status::kAllowed)
      opened += (opened.empty() ? "" : ",") + std::to_string(protocol);
    if (outcome.status != Status::kCouldNotTry) worst = outcome;
  }
  if (!opened.empty()) return {Status::kAllowed, 0, "protocols:" + opened};
  return worst;
}

Outcome UnixSocketPair(Arguments) {
  std::array<int, 2> ends = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return FromErrno(errno);
  }
  const UniqueFd first(ends[0]);
  const UniqueFd second(ends[1]);
  std::array<char, 64> received;
  if (send(first.get(), kToken.data(), kToken.size(), MSG_NOSIGNAL) < 0) return FromErrno(errno);
  return FromSent(recv(second.get(), received.data(), received.size(), 0));
}

#if defined(__x86_64__)

// A system call of the 32-bit table (arch/x86/entry/syscalls/syscall_32.tbl).
int Int80(int number, unsigned long first, unsigned long second, unsigned long third) {
  long result = number;  // NOLINT(misc-const-correctness): the kernel writes it.
  __asm__ volatile("int $0x80"
                   : "+a"(result)
                   : "b"(first), "c"(second), "d"(third)
                   : "memory", "r8", "r9", "r10", "r11");
  return static_cast<int>(result);
}

Outcome Int80Connect(Arguments arguments) {
  constexpr int kSocket32 = 359;
  constexpr int kConnect32 = 362;
  const auto target = ParseTarget(arguments[0], arguments[1]);
  if (!target) return CouldNotTry(EINVAL);
  // Where 32-bit pointers reach.
  void* low =
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  if (low == MAP_FAILED) return CouldNotTry(errno, "mmap");
  std::memcpy(low, target->address(), target->length);
  const int made = Int80(kSocket32, static_cast<unsigned long>(target->family), SOCK_STREAM, 0);
  if (made < 0) {
    Outcome outcome = FromErrno(-made);
    outcome.detail = "socket";
    return outcome;
  }
  const UniqueFd fd(made);
  const int connected = Int80(kConnect32, static_cast<unsigned long>(fd.get()),
                              reinterpret_cast<unsigned long>(low), target->length);
  if (connected < 0) return FromErrno(-connected);
  return FromSent(send(fd.get(), kToken.data(), kToken.size(), MSG_NOSIGNAL));
}

Outcome X32Socket(Arguments) {
  constexpr long kX32Bit = 0x40000000;
  const UniqueFd fd(
      static_cast<int>(syscall(kX32Bit | SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  return fd.valid() ? Allowed() : FromErrno(errno);
}

#else

Outcome Int80Connect(Arguments) { return CouldNotTry(ENOSYS, "architecture"); }

Outcome X32Socket(Arguments) { return CouldNotTry(ENOSYS, "architecture"); }

#endif

constexpr std::array kVerbs = {
    Verb{"socket", 1, false,
         "vsock|alg|packet|key|xdp|can|tipc|bluetooth|rds|smc|old-packet|sctp|dccp", Socket},
    Verb{"other-families", 0, false, "", OtherFamilies},
    Verb{"netlink-route", 0, false, "", NetlinkRoute},
    Verb{"netlink-kinds", 0, false, "", NetlinkKinds},
    Verb{"unix-socketpair", 0, false, "", UnixSocketPair},
    Verb{"int80-connect", 2, false, "ADDRESS PORT", Int80Connect},
    Verb{"x32-socket", 0, false, "", X32Socket},
};

}  // namespace

std::span<const Verb> FamilyVerbs() { return kVerbs; }

}  // namespace palyra::probes
