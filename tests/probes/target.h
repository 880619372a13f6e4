// Where a probe reaches for, and the socket calls that most verbs share.

#ifndef PALYRA_TESTS_PROBES_TARGET_H_
#define PALYRA_TESTS_PROBES_TARGET_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/unique_fd.h"
#include "tests/probes/probe.h"

namespace palyra::probes {

// What a probe sends where it may: short, and findable in a capture.
inline constexpr std::string_view kToken = "palyra-probe";

// A socket address; ::ffff:a.b.c.d stays an IPv6 address.
struct Target {
  sockaddr_storage storage = {};
  socklen_t length = 0;
  int family = AF_UNSPEC;

  [[nodiscard]] const sockaddr* address() const {
    return reinterpret_cast<const sockaddr*>(&storage);
  }
  [[nodiscard]] const sockaddr_in& v4() const {
    return reinterpret_cast<const sockaddr_in&>(storage);
  }
  [[nodiscard]] const sockaddr_in6& v6() const {
    return reinterpret_cast<const sockaddr_in6&>(storage);
  }
};

// Nothing if `address` is no literal IPv4 or IPv6 address or `port` no port. An IPv6 address may
// end in %INTERFACE.
std::optional<Target> ParseTarget(const char* address, const char* port);

// A blocking socket of the target's family whose blocking calls end after some seconds, so that a
// dropped packet shows as a timeout and never hangs a test. Invalid with errno set on failure.
UniqueFd OpenSocket(const Target& target, int type, int protocol);

// connect(2), then kToken through the socket.
Outcome ConnectAndSend(int fd, const Target& target);

// sendto(2) of kToken with `flags`.
Outcome SendTo(int fd, const Target& target, int flags = 0);

// The outcome of a send: `sent` is what the call returned.
Outcome FromSent(ssize_t sent);

// Waits until `fd` is writable and gives the pending socket error, or ETIMEDOUT.
int WaitConnected(int fd);

}  // namespace palyra::probes

#endif  // PALYRA_TESTS_PROBES_TARGET_H_
