// To which paths unix sockets are bound: what their servers asked for, which no rename changes.

#ifndef PALYRA_ENGINE_BOUND_SOCKETS_H_
#define PALYRA_ENGINE_BOUND_SOCKETS_H_

#include <sys/types.h>

#include <cstdint>
#include <set>
#include <string>
#include <utility>

#include "base/result.h"

namespace palyra::engine {

// Those of this network namespace at one moment, by unix_diag: sock_diag(7).
class BoundSockets {
 public:
  // kUnsupported where the kernel cannot tell (CONFIG_UNIX_DIAG).
  static Result<BoundSockets> Read();

  // Whether the one that lies at that inode was bound to exactly that path. The kernel tells the
  // lower half of the number.
  [[nodiscard]] bool Has(const std::string& path, ino_t inode) const {
    return bound_.contains({static_cast<uint32_t>(inode), path});
  }

 private:
  std::set<std::pair<uint32_t, std::string>> bound_;
};

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_BOUND_SOCKETS_H_
