// Sockets on loopback for processes that serve one run, which nobody else can reach.

#ifndef PALYRA_CLI_RUN_SOCKETS_H_
#define PALYRA_CLI_RUN_SOCKETS_H_

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace palyra::cli {

// Not 0. The kernel gives it to the packets of the run (RunTable), and nobody can guess it.
Result<uint32_t> RandomMark();

// At 127.0.0.1 and, where there is IPv6, at ::1.
struct RunSockets {
  uint16_t port = 0;  // Of all of them.
  std::vector<UniqueFd> udp;
  std::vector<UniqueFd> tcp;  // Listening.
};

enum class RunProtocols : uint8_t { kTcp, kUdpAndTcp };

// They, and what they accept, take packets with `mark` alone, and that cannot be undone.
// kExhausted if no port is free for all.
Result<RunSockets> OpenRunSockets(RunProtocols protocols, uint32_t mark);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_RUN_SOCKETS_H_
