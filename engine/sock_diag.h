// The sockets of a network namespace by sock_diag(7): listing those of a cgroup, destroying one.

#ifndef PALYRA_ENGINE_SOCK_DIAG_H_
#define PALYRA_ENGINE_SOCK_DIAG_H_

#include <linux/inet_diag.h>

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "bpf/abi.h"

namespace palyra::engine {

struct DiagSocket {
  uint8_t family;    // AF_INET, AF_INET6
  uint8_t protocol;  // IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE
  uint8_t state;     // TCP_ESTABLISHED, …
  inet_diag_sockid id;
  palyra_flow flow;  // All 0 where it has no entry in the map `flows`.
};

class SockDiag {
 public:
  // For the namespace of the calling thread, or the one that `namespace_fd` stands for; the thread
  // is in its own again afterwards.
  static Result<SockDiag> Open();
  static Result<SockDiag> OpenIn(int namespace_fd);

  // Every socket of `protocol`, of both families, whose cgroup has the id `cgroup` and that has a
  // peer or listens.
  // `flows` is the BPF map of socket storage to be read with it. Nothing where the kernel lacks the
  // protocol.
  [[nodiscard]] Result<std::vector<DiagSocket>> List(uint8_t protocol, uint64_t cgroup,
                                                     int flows) const;

  // False where it has gone meanwhile. Its owner reads ECONNABORTED.
  [[nodiscard]] Result<bool> Destroy(const DiagSocket& socket) const;

 private:
  explicit SockDiag(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_SOCK_DIAG_H_
