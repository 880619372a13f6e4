#include "engine/run_table.h"

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <utility>

#include "engine/clock.h"

namespace palyra::engine {
namespace {

constexpr size_t kMappedBytes = sizeof(palyra_run) * PALYRA_MAX_RUNS;

// The programs and other supervisors see the same memory.
template <typename T>
std::atomic_ref<T> Shared(T& field) {
  return std::atomic_ref<T>(field);
}

// What decides for the run has changed: nothing that sockets keep of before counts any more.
void BeginEpoch(palyra_run& run) {
  const auto epoch = Shared(run.epoch);
  __u32 before = epoch.load();
  while (before != PALYRA_LAST_EPOCH && !epoch.compare_exchange_weak(before, before + 1)) continue;
}

__u8 AsksDigests(uint32_t profile) { return (profile & PALYRA_ASKS_DIGESTS) != 0 ? 1 : 0; }

}  // namespace

Result<RunTable> RunTable::Map(int map_fd) {
  void* memory = mmap(nullptr, kMappedBytes, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
  if (memory == MAP_FAILED) return FailErrno(errno, "cannot map the kernel table \"runs\"");
  return RunTable(static_cast<palyra_run*>(memory));
}

RunTable::RunTable(RunTable&& other) noexcept : runs_(std::exchange(other.runs_, nullptr)) {}

RunTable::~RunTable() {
  if (runs_ != nullptr) munmap(runs_, kMappedBytes);
}

bool RunTable::Claim(uint64_t cgroup) const {
  __u64 free = 0;
  return Shared(runs_[palyra_run_slot(cgroup)].cgroup).compare_exchange_strong(free, cgroup);
}

void RunTable::PutInForce(uint64_t cgroup, uint32_t profile, uint32_t ring,
                          uint64_t expires_ns) const {
  palyra_run& run = runs_[palyra_run_slot(cgroup)];
  Shared(run.denied).store(0);
  Shared(run.lost).store(0);
  Shared(run.audited).store(0);
  Shared(run.lost_audited).store(0);
  Shared(run.audit_allows).store(0);
  Shared(run.is_offline).store(0);
  Shared(run.asks_digests).store(AsksDigests(profile));
  Shared(run.has_linked_names).store(0);
  Shared(run.has_grants).store(0);
  Shared(run.has_names).store(0);
  for (__u16& port : run.resolver_ports) Shared(port).store(0);
  Shared(run.relay_port).store(0);
  Shared(run.ring).store(ring);
  Shared(run.expires_ns).store(expires_ns);
  Shared(run.profile).store(profile);
  BeginEpoch(run);
}

std::optional<uint32_t> RunTable::Replace(uint64_t cgroup, uint32_t profile,
                                          uint64_t expires_ns) const {
  palyra_run& run = runs_[palyra_run_slot(cgroup)];
  if (Shared(run.cgroup).load() != cgroup) return std::nullopt;
  const uint64_t before = Shared(run.expires_ns).load();
  const bool earlier = expires_ns != 0 && (before == 0 || expires_ns < before);
  if (earlier) Shared(run.expires_ns).store(expires_ns);
  // First: a program that is left to others, because of the profile, is judged by them.
  if (AsksDigests(profile) != 0) Shared(run.asks_digests).store(1);
  const uint32_t previous = Shared(run.profile).exchange(profile);
  BeginEpoch(run);
  if (!earlier) Shared(run.expires_ns).store(expires_ns);
  return previous;
}

bool RunTable::SetDeadline(uint64_t cgroup, uint32_t profile, uint64_t expires_ns) const {
  palyra_run& run = runs_[palyra_run_slot(cgroup)];
  if (Shared(run.cgroup).load() != cgroup || Shared(run.profile).load() != profile) return false;
  Shared(run.expires_ns).store(expires_ns);
  return true;
}

bool RunTable::HasExpired(uint64_t cgroup) const {
  palyra_run& run = runs_[palyra_run_slot(cgroup)];
  const uint64_t expires = Shared(run.expires_ns).load();
  return Shared(run.cgroup).load() != cgroup || (expires != 0 && NowBootNs() >= expires);
}

std::optional<uint32_t> RunTable::ProfileOf(uint64_t cgroup) const {
  palyra_run& run = runs_[palyra_run_slot(cgroup)];
  if (Shared(run.cgroup).load() != cgroup) return std::nullopt;
  return Shared(run.profile).load();
}

void RunTable::SetBrokers(uint64_t cgroup, const BrokerPorts& ports) const {
  palyra_run& run = runs_[palyra_run_slot(cgroup)];
  if (Shared(run.cgroup).load() != cgroup) return;
  Shared(run.broker_mark).store(ports.mark);
  Shared(run.relay_port).store(ports.relay);
  for (size_t i = 0; i < ports.resolver.size(); ++i) {
    Shared(run.resolver_ports[i]).store(ports.resolver[i]);
  }
}

BrokerPorts RunTable::BrokersOf(uint64_t cgroup) const {
  palyra_run& run = runs_[palyra_run_slot(cgroup)];
  BrokerPorts ports;
  if (Shared(run.cgroup).load() != cgroup) return ports;
  for (size_t i = 0; i < ports.resolver.size(); ++i) {
    ports.resolver[i] = Shared(run.resolver_ports[i]).load();
  }
  ports.relay = Shared(run.relay_port).load();
  ports.mark = Shared(run.broker_mark).load();
  return ports;
}

void RunTable::AuditAllows(uint64_t cgroup, uint32_t one_in) const {
  palyra_run& run = runs_[palyra_run_slot(cgroup)];
  if (Shared(run.cgroup).load() == cgroup) Shared(run.audit_allows).store(one_in);
}

void RunTable::MarkOffline(uint64_t cgroup) const {
  palyra_run& run = runs_[palyra_run_slot(cgroup)];
  if (Shared(run.cgroup).load() == cgroup) Shared(run.is_offline).store(1);
}

bool RunTable::IsOffline(uint64_t cgroup) const {
  palyra_run& run = runs_[palyra_run_slot(cgroup)];
  return Shared(run.cgroup).load() == cgroup && Shared(run.is_offline).load() != 0;
}

void RunTable::ChangeNames(uint64_t cgroup) const {
  palyra_run& run = runs_[palyra_run_slot(cgroup)];
  if (Shared(run.cgroup).load() != cgroup) return;
  Shared(run.has_names).store(1);
  BeginEpoch(run);
}

bool RunTable::MarkGrants(uint64_t cgroup) const {
  palyra_run& run = runs_[palyra_run_slot(cgroup)];
  if (Shared(run.cgroup).load() != cgroup) return false;
  Shared(run.has_grants).store(1);
  return true;
}

void RunTable::MarkLinkedNames(uint64_t cgroup) const {
  palyra_run& run = runs_[palyra_run_slot(cgroup)];
  if (Shared(run.cgroup).load() == cgroup) Shared(run.has_linked_names).store(1);
}

bool RunTable::HasGrants(uint64_t cgroup) const {
  palyra_run& run = runs_[palyra_run_slot(cgroup)];
  return Shared(run.cgroup).load() == cgroup && Shared(run.has_grants).load() != 0;
}

RunCounters RunTable::Counters(uint64_t cgroup) const {
  palyra_run& run = runs_[palyra_run_slot(cgroup)];
  return {.denied = Shared(run.denied).load(),
          .lost = Shared(run.lost).load(),
          .audited = Shared(run.audited).load(),
          .lost_audited = Shared(run.lost_audited).load()};
}

void RunTable::Free(uint64_t cgroup) const {
  palyra_run& run = runs_[palyra_run_slot(cgroup)];
  if (Shared(run.cgroup).load() != cgroup) return;
  // No profile has id 0: between the two stores everything is denied.
  Shared(run.profile).store(0);
  BeginEpoch(run);
  Shared(run.cgroup).store(0);
}

std::set<uint32_t> RunTable::Profiles() const {
  std::set<uint32_t> profiles;
  for (size_t slot = 0; slot < PALYRA_MAX_RUNS; ++slot) {
    if (Shared(runs_[slot].cgroup).load() != 0) profiles.insert(Shared(runs_[slot].profile).load());
  }
  return profiles;
}

std::vector<uint64_t> RunTable::Cgroups() const {
  std::vector<uint64_t> cgroups;
  for (size_t slot = 0; slot < PALYRA_MAX_RUNS; ++slot) {
    const uint64_t cgroup = Shared(runs_[slot].cgroup).load();
    if (cgroup != 0) cgroups.push_back(cgroup);
  }
  return cgroups;
}

}  // namespace palyra::engine
