#include "tests/probes/target.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/time.h>

#include <cerrno>
#include <cstdlib>
#include <string>

namespace palyra::probes {
namespace {

constexpr int kTimeoutSeconds = 5;

}  // namespace

std::optional<Target> ParseTarget(const char* address, const char* port) {
  char* end = nullptr;
  const unsigned long number = std::strtoul(port, &end, 10);
  if (*port == '\0' || *end != '\0' || number > 65535) return std::nullopt;
  const uint16_t network_port = htons(static_cast<uint16_t>(number));

  Target target;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&target.storage);
  if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = network_port;
    target.length = sizeof(*v4);
    target.family = AF_INET;
    return target;
  }
  const std::string text(address);
  const size_t percent = text.find('%');
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&target.storage);
  if (inet_pton(AF_INET6, text.substr(0, percent).c_str(), &v6->sin6_addr) != 1) {
    return std::nullopt;
  }
  if (percent != std::string::npos) {
    v6->sin6_scope_id = if_nametoindex(text.c_str() + percent + 1);
  }
  v6->sin6_family = AF_INET6;
  v6->sin6_port = network_port;
  target.length = sizeof(*v6);
  target.family = AF_INET6;
  return target;
}

UniqueFd OpenSocket(const Target& target, int type, int protocol) {
  UniqueFd fd(socket(target.family, type | SOCK_CLOEXEC, protocol));
  if (!fd.valid()) return fd;
  const timeval limit = {.tv_sec = kTimeoutSeconds, .tv_usec = 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  return fd;
}

Outcome FromSent(ssize_t sent) { return sent < 0 ? FromErrno(errno) : Allowed(); }

Outcome ConnectAndSend(int fd, const Target& target) {
  if (connect(fd, target.address(), target.length) != 0) return FromErrno(errno);
  return FromSent(send(fd, kToken.data(), kToken.size(), MSG_NOSIGNAL));
}

Outcome SendTo(int fd, const Target& target, int flags) {
  return FromSent(sendto(fd, kToken.data(), kToken.size(), flags | MSG_NOSIGNAL, target.address(),
                         target.length));
}

int WaitConnected(int fd) {
  pollfd waited = {.fd = fd, .events = POLLOUT, .revents = 0};
  const int ready = poll(&waited, 1, kTimeoutSeconds * 1000);
  if (ready < 0) return errno;
  if (ready == 0) return ETIMEDOUT;
  int error = 0;
  socklen_t length = sizeof(error);
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  return error;
}

}  // namespace palyra::probes
