#include "engine/grants.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <cstring>

#include "engine/clock.h"
#include "engine/flows.h"

namespace palyra::engine {
namespace {

using policy::NetAction;
using policy::NetEvent;
using policy::Protocol;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

palyra_grant_key KeyOf(uint64_t run, const NetEvent& resource) {
  palyra_grant_key key = {};
  key.run = run;
  key.port = resource.port;
  key.action = static_cast<palyra_action>(1U << static_cast<unsigned>(resource.action));
  key.protocol = static_cast<palyra_protocol>(1U << static_cast<unsigned>(resource.protocol));
  key.is_ipv6 = resource.is_ipv6 ? 1 : 0;
  std::memcpy(key.address, resource.address.data(), sizeof(key.address));
  return key;
}

// The place of the one bit that is set.
template <typename Enum>
Enum EnumOf(unsigned bit) {
  unsigned place = 0;
  while (place < 7 && (bit >> place & 1U) == 0) ++place;
  return static_cast<Enum>(place);
}

NetEvent ResourceOf(const palyra_grant_key& key) {
  NetEvent resource = {.action = EnumOf<NetAction>(key.action),
                       .protocol = EnumOf<Protocol>(key.protocol),
                       .is_ipv6 = key.is_ipv6 != 0,
                       .address = {},
                       .port = key.port};
  std::memcpy(resource.address.data(), key.address, sizeof(key.address));
  return resource;
}

bool CanCount(const NetEvent& resource) {
  if (resource.action == NetAction::kSend) return true;
  return resource.action == NetAction::kConnect &&
         (resource.protocol == Protocol::kTcp || resource.protocol == Protocol::kUdp);
}

bool HasExpired(const palyra_grant& grant) {
  return grant.expires_ns != 0 && NowBootNs() >= grant.expires_ns;
}

std::vector<palyra_grant_key> KeysOf(const KernelObjects& objects, uint64_t run) {
  const int fd = objects.fd(Table::kGrants);
  std::vector<palyra_grant_key> keys;
  palyra_grant_key key = {};
  palyra_grant_key* previous = nullptr;
  // A key that vanishes meanwhile starts the walk again; the bound ends one that never gets on.
  for (int i = 0; i < 4 * PALYRA_MAX_GRANTS; ++i) {
    if (bpf_map_get_next_key(fd, previous, &key) != 0) break;
    if (key.run == run) keys.push_back(key);
    previous = &key;
  }
  return keys;
}

}  // namespace

Result<void> AddGrant(const KernelObjects& objects, uint64_t run, const GrantRequest& grant) {
  if (grant.uses != 0 && !CanCount(grant.resource)) {
    return Fail(ErrorCode::kInvalidArgument,
                "uses can be counted of net.send, and of net.connect over tcp and udp, alone; give "
                "it a time instead");
  }
  palyra_grant value = {};
  value.uses = grant.uses;
  if (grant.lifetime) {
    if (*grant.lifetime <= milliseconds::zero()) {
      return Fail(ErrorCode::kInvalidArgument, "a grant must last longer than nothing");
    }
    value.expires_ns = NowBootNs() + static_cast<uint64_t>(nanoseconds(*grant.lifetime).count());
  }
  // Under the lock the run cannot end between the two, and leave the grant behind.
  Result<UniqueFd> lock = objects.LockRuns();
  if (!lock) return std::unexpected(lock.error());
  if (!objects.runs().MarkGrants(run)) {
    return Fail(ErrorCode::kNotFound, "no such run: it has ended, or never was");
  }
  const palyra_grant_key key = KeyOf(run, grant.resource);
  if (bpf_map_update_elem(objects.fd(Table::kGrants), &key, &value, BPF_ANY) != 0) {
    return FailErrno(errno, "cannot write the kernel table \"grants\"");
  }
  return {};
}

Result<void> RevokeGrant(const KernelObjects& objects, const Cgroup& run,
                         const NetEvent& resource) {
  const palyra_grant_key key = KeyOf(run.id(), resource);
  if (bpf_map_delete_elem(objects.fd(Table::kGrants), &key) != 0) {
    return FailErrno(errno, "no such grant");
  }
  Result<size_t> cut = CutDeniedFlows(objects, run);
  if (!cut) return std::unexpected(cut.error());
  return {};
}

std::vector<Grant> ListGrants(const KernelObjects& objects, uint64_t run) {
  std::vector<Grant> grants;
  for (const palyra_grant_key& key : KeysOf(objects, run)) {
    palyra_grant value = {};
    if (bpf_map_lookup_elem(objects.fd(Table::kGrants), &key, &value) != 0) continue;
    Grant grant = {
        .resource = ResourceOf(key), .left = std::nullopt, .uses = value.uses, .used = value.used};
    if (value.expires_ns != 0) {
      const nanoseconds left(static_cast<int64_t>(value.expires_ns - NowBootNs()));
      grant.left = std::chrono::floor<milliseconds>(left);
    }
    grants.push_back(grant);
  }
  return grants;
}

void RemoveGrantsOf(const KernelObjects& objects, uint64_t run) {
  for (const palyra_grant_key& key : KeysOf(objects, run)) {
    bpf_map_delete_elem(objects.fd(Table::kGrants), &key);
  }
}

std::optional<uint32_t> UsesLeft(const KernelObjects& objects, uint64_t run,
                                 const NetEvent& resource) {
  if (!objects.runs().HasGrants(run)) return std::nullopt;
  const palyra_grant_key key = KeyOf(run, resource);
  palyra_grant grant = {};
  if (bpf_map_lookup_elem(objects.fd(Table::kGrants), &key, &grant) != 0) return std::nullopt;
  if (HasExpired(grant)) return std::nullopt;
  if (grant.uses == 0) return UINT32_MAX;
  if (grant.used >= grant.uses) return std::nullopt;
  return grant.uses - grant.used;
}

bool AllowsFlow(const KernelObjects& objects, uint64_t run, const NetEvent& flow, bool took_use) {
  const palyra_grant_key key = KeyOf(run, flow);
  palyra_grant grant = {};
  if (bpf_map_lookup_elem(objects.fd(Table::kGrants), &key, &grant) != 0) return false;
  return !HasExpired(grant) && (grant.uses == 0 || took_use);
}

}  // namespace palyra::engine
