// Names of unix sockets, and connecting to them.

#ifndef PALYRA_TESTS_PROBES_UNIX_TARGET_H_
#define PALYRA_TESTS_PROBES_UNIX_TARGET_H_

#include <sys/socket.h>
#include <sys/un.h>

#include <optional>
#include <string_view>

#include "base/unique_fd.h"
#include "tests/probes/probe.h"

namespace palyra::probes {

struct UnixName {
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  socklen_t length = 0;

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

// A path, or "@" and an abstract name, in which '#' stands for NUL. Nothing where it is too long.
std::optional<UnixName> ParseUnixName(std::string_view text);

// socket(2), connect(2), and kToken through it.
Outcome ConnectUnix(int type, const char* text);

// What comes with the next message: the descriptor, or -1 and in errno why there is none.
int ReceiveDescriptor(int fd);

// Likewise of the first message to whoever connects to that stream socket.
UniqueFd ReceiveFrom(std::string_view text);

}  // namespace palyra::probes

#endif  // PALYRA_TESTS_PROBES_UNIX_TARGET_H_
