// Everything that a run has in the kernel: its lock, cgroup, rules, event ring and table entry.

#ifndef PALYRA_ENGINE_LIVE_RUN_H_
#define PALYRA_ENGINE_LIVE_RUN_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/cgroup.h"
#include "engine/events.h"
#include "engine/host.h"
#include "engine/kernel_objects.h"
#include "engine/linked_names.h"
#include "engine/rule_update.h"
#include "engine/run_lock.h"
#include "engine/run_names.h"
#include "engine/run_table.h"
#include "policy/rule_set.h"

namespace palyra::engine {

class LiveRun {
 public:
  // After this the rules are in force for whatever is born in the cgroup; nothing runs there yet.
  // A failure leaves nothing behind.
  static Result<LiveRun> Create(const Host& host, const KernelObjects& objects,
                                const policy::RuleSet& rules);

  LiveRun(LiveRun&&) = default;
  LiveRun& operator=(LiveRun&&) = delete;
  // Gives everything back as Remove does; whoever wants errors calls that.
  ~LiveRun();

  [[nodiscard]] const std::string& id() const { return lock_.id(); }
  [[nodiscard]] const Cgroup& cgroup() const { return cgroup_; }
  [[nodiscard]] EventRing& events() { return *ring_; }

  [[nodiscard]] RunCounters ReadCounters() const;

  // The profile that it started with.
  [[nodiscard]] uint32_t first_profile() const { return first_profile_; }

  // Other rules from now on; rule_update.h.
  Result<Replacement> Replace(const policy::RuleSet& rules);

  // From now on its DNS, and its connections that are to be verified, go to these ports, where
  // `sockets` listen; the resolver tells the names what it gives out. `rules` are those that it
  // started with.
  Result<RunNames*> UseBrokers(const BrokerPorts& ports, std::span<const int> sockets,
                               const policy::RuleSet& rules);

  // RunTable::AuditAllows, before anything runs.
  void AuditAllows(uint32_t one_in) const { objects_->runs().AuditAllows(cgroup_.id(), one_in); }

  // No other process changes its rules from now on (RunTable::MarkOffline).
  void MarkOffline() const { objects_->runs().MarkOffline(cgroup_.id()); }

  // Cgroups of other hierarchies that its processes are in, which go with it.
  void OwnCgroup(std::string path) { other_cgroups_.push_back(std::move(path)); }
  [[nodiscard]] bool OwnsCgroup(const std::string& path) const;

  // Moves the deadline of its rules if they are still those of `profile`; false if not.
  [[nodiscard]] bool MoveDeadline(uint32_t profile, uint64_t expires_ns) const;

  // Whatever rules are in force, from now on everything is denied and no connection stays open,
  // until others are put in force. Needs nothing that could be missing.
  void DenyEverything() const;

  // Kills what still runs and waits until nothing is left. Rules and events stay.
  Result<void> Kill();

  // Gives everything back. Processes that could not be killed keep their cgroup, without an entry
  // in the tables: all their calls are denied.
  Result<void> Remove();

 private:
  LiveRun(const KernelObjects& objects, RunLock lock, Cgroup cgroup);
  Result<void> PutInForce(const policy::RuleSet& rules);
  Result<void> AddLinkedNamesOf(const policy::RuleSet& rules);
  void FreeEntry();

  const KernelObjects* objects_;
  RunLock lock_;
  Cgroup cgroup_;
  KillMethod kill_method_;
  std::optional<EventRing> ring_;
  uint32_t first_profile_ = 0;
  std::optional<RunNames> names_;
  std::vector<LinkedFile> linked_files_;  // Open until the run has ended.
  std::vector<std::string> other_cgroups_;
  bool uses_relay_ = false;
  bool removed_ = false;
};

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_LIVE_RUN_H_
