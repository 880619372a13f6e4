// What the relay of a run asks: the kernel, where its clients wanted to go; the rules in force,
// where they may.

#ifndef PALYRA_ENGINE_RUN_RELAY_H_
#define PALYRA_ENGINE_RUN_RELAY_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/kernel_objects.h"
#include "engine/run_names.h"

namespace palyra::engine {

struct NetEndpoint {
  NetAddress address;
  uint16_t port = 0;  // Host byte order.
  bool operator==(const NetEndpoint&) const = default;
};

class RunRelay {
 public:
  // For the run with cgroup id `run`, and its names. Borrows both.
  RunRelay(const KernelObjects& objects, uint64_t run, const RunNames& names)
      : objects_(&objects), run_(run), names_(&names) {}

  [[nodiscard]] const RunNames& names() const { return *names_; }

  // The relay is gone: from now on what is to be verified is denied.
  void Close() const;

  // Where the connection was meant to go that the relay has from that port of 127.0.0.1 or ::1. It
  // is told once. Nothing where it is none of the run's.
  [[nodiscard]] std::optional<NetEndpoint> TakeDestination(bool is_ipv6, uint16_t port) const;

  // Whether a client that was meant to go there and verifiably wants `name`, in canonical form,
  // may.
  [[nodiscard]] bool MayReach(const std::string& name, const NetEndpoint& destination) const;

  // Where to, then: at most `most` addresses that the run looked up under the name, those only that
  // it may reach, and `destination` first where it is among them.
  [[nodiscard]] std::vector<NetAddress> AddressesOf(const std::string& name,
                                                    const NetEndpoint& destination,
                                                    size_t most) const;

 private:
  const KernelObjects* objects_;
  uint64_t run_;
  const RunNames* names_;
};

// What nobody took, of a run that has ended; by looking through the table.
void RemoveRelayedOf(const KernelObjects& objects, uint64_t run);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_RUN_RELAY_H_
