// The kernel's array of runs, mapped into this process (bpf/abi.h, struct palyra_run).

#ifndef PALYRA_ENGINE_RUN_TABLE_H_
#define PALYRA_ENGINE_RUN_TABLE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "base/result.h"
#include "bpf/abi.h"

namespace palyra::engine {

// What the kernel counted for a run.
struct RunCounters {
  uint64_t denied = 0;  // Decisions that were deny.
  uint64_t lost = 0;    // Of those, without an event because the ring was full.
  // The same of allows that were to be told.
  uint64_t audited = 0;
  uint64_t lost_audited = 0;
};

// Where a run's resolver and relay listen.
struct BrokerPorts {
  std::array<uint16_t, PALYRA_RESOLVER_PORTS> resolver = {};  // All 0: there is none.
  uint16_t relay = 0;                                         // 0: there is none.
  uint32_t mark = 0;  // Of all packets to them (SO_MARK of socket(7)).
  bool operator==(const BrokerPorts&) const = default;
};

class RunTable {
 public:
  // Maps the pinned array with descriptor `map_fd`.
  static Result<RunTable> Map(int map_fd);

  RunTable(RunTable&& other) noexcept;
  RunTable& operator=(RunTable&&) = delete;
  RunTable(const RunTable&) = delete;
  RunTable& operator=(const RunTable&) = delete;
  ~RunTable();

  // Takes the slot of `cgroup`. False if another run has it: then another cgroup is needed.
  [[nodiscard]] bool Claim(uint64_t cgroup) const;

  // From now on the programs decide for `cgroup` by `profile`, until CLOCK_BOOTTIME has reached
  // `expires_ns` (0: for ever). The slot is claimed.
  void PutInForce(uint64_t cgroup, uint32_t profile, uint32_t ring, uint64_t expires_ns) const;

  // Puts another profile in force, by one store; at no moment is a profile in force past the
  // earlier of both deadlines. Returns the profile before; nothing where `cgroup` has no entry.
  // Under the lock of the runs.
  [[nodiscard]] std::optional<uint32_t> Replace(uint64_t cgroup, uint32_t profile,
                                                uint64_t expires_ns) const;

  // Moves the deadline of `cgroup` if it is still under `profile`. Under the lock of the runs.
  [[nodiscard]] bool SetDeadline(uint64_t cgroup, uint32_t profile, uint64_t expires_ns) const;

  // Its deadline has passed, or everything is denied for another reason; or it has no entry.
  [[nodiscard]] bool HasExpired(uint64_t cgroup) const;

  // The profile that `cgroup` is under; nothing where it has no entry.
  [[nodiscard]] std::optional<uint32_t> ProfileOf(uint64_t cgroup) const;

  // What `cgroup` sends to port 53, and its connections that are to be verified, go to these ports
  // of 127.0.0.1 and ::1. Before anything runs in it.
  void SetBrokers(uint64_t cgroup, const BrokerPorts& ports) const;
  // All 0 where it has none, or no entry.
  [[nodiscard]] BrokerPorts BrokersOf(uint64_t cgroup) const;

  // One in `one_in` allows of `cgroup` is an event; 0: none, as at first.
  void AuditAllows(uint64_t cgroup, uint32_t one_in) const;

  // For its whole life `cgroup` reaches nothing: whoever would put other rules in force asks first.
  void MarkOffline(uint64_t cgroup) const;
  [[nodiscard]] bool IsOffline(uint64_t cgroup) const;

  // The entries of `cgroup` in `names` have changed: the programs look there from now on, for open
  // flows too.
  void ChangeNames(uint64_t cgroup) const;

  // From now on the programs look into `grants` for `cgroup`. False where it has no entry. Under
  // the lock of the runs.
  [[nodiscard]] bool MarkGrants(uint64_t cgroup) const;
  // There are entries of this run in `linked_names`.
  void MarkLinkedNames(uint64_t cgroup) const;
  [[nodiscard]] bool HasGrants(uint64_t cgroup) const;

  [[nodiscard]] RunCounters Counters(uint64_t cgroup) const;

  // Frees the slot where it is `cgroup`'s: whatever still runs there is denied every call. Under
  // the lock of the runs.
  void Free(uint64_t cgroup) const;

  // Cgroup ids of all entries.
  [[nodiscard]] std::vector<uint64_t> Cgroups() const;

  // Every profile that a run is under. Complete while the lock of the profiles is held exclusively.
  [[nodiscard]] std::set<uint32_t> Profiles() const;

 private:
  explicit RunTable(palyra_run* runs) : runs_(runs) {}

  palyra_run* runs_;  // Null when moved from.
};

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_RUN_TABLE_H_
