#include "engine/grants.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "engine/clock.h"
#include "engine/flows.h"
#include "engine/path_grants.h"

namespace palyra::engine {
namespace {

using policy::NameAction;
using policy::NameEvent;
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

bool CanCount(const GrantedResource& resource, uint32_t uses) {
  if (const auto* const named = std::get_if<NameEvent>(&resource)) {
    return named->action == NameAction::kProcessExec && uses == 1;
  }
  const auto& endpoint = std::get<NetEvent>(resource);
  if (endpoint.action == NetAction::kSend) return true;
  return endpoint.action == NetAction::kConnect &&
         (endpoint.protocol == Protocol::kTcp || endpoint.protocol == Protocol::kUdp);
}

// Of either table.
bool HasExpired(const auto& grant) {
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
  if (grant.uses != 0 && !CanCount(grant.resource, grant.uses)) {
    return Fail(ErrorCode::kInvalidArgument,
                "uses can be counted of net.send, of net.connect over tcp and udp, and of one "
                "process.exec alone; give it a time instead");
  }
  uint64_t expires_ns = 0;
  if (grant.lifetime) {
    if (*grant.lifetime <= milliseconds::zero()) {
      return Fail(ErrorCode::kInvalidArgument, "a grant must last longer than nothing");
    }
    expires_ns = NowBootNs() + static_cast<uint64_t>(nanoseconds(*grant.lifetime).count());
  }
  const auto* const named = std::get_if<NameEvent>(&grant.resource);
  if (named != nullptr) {
    Result<void> grantable = RequireGrantable(objects, *named);
    if (!grantable) return grantable;
  }
  // Under the lock the run cannot end between the two, and leave the grant behind.
  Result<UniqueFd> lock = objects.LockRuns();
  if (!lock) return std::unexpected(lock.error());
  if (!objects.runs().MarkGrants(run)) {
    return Fail(ErrorCode::kNotFound, "no such run: it has ended, or never was");
  }
  if (named != nullptr) {
    palyra_path_grant value = {};
    value.expires_ns = expires_ns;
    value.uses = grant.uses;
    return WritePathGrant(objects, run, *named, value);
  }
  palyra_grant value = {};
  value.expires_ns = expires_ns;
  value.uses = grant.uses;
  const palyra_grant_key key = KeyOf(run, std::get<NetEvent>(grant.resource));
  if (bpf_map_update_elem(objects.fd(Table::kGrants), &key, &value, BPF_ANY) != 0) {
    return FailErrno(errno, "cannot write the kernel table \"grants\"");
  }
  return {};
}

Result<void> RevokeGrant(const KernelObjects& objects, const Cgroup& run,
                         const GrantedResource& resource) {
  if (const auto* const named = std::get_if<NameEvent>(&resource)) {
    if (RemovePathGrant(objects, run.id(), *named)) return {};
    return Fail(ErrorCode::kNotFound, "no such grant");
  }
  const palyra_grant_key key = KeyOf(run.id(), std::get<NetEvent>(resource));
  if (bpf_map_delete_elem(objects.fd(Table::kGrants), &key) != 0) {
    return FailErrno(errno, "no such grant");
  }
  Result<size_t> cut = CutDeniedFlows(objects, run);
  if (!cut) return std::unexpected(cut.error());
  return {};
}

std::vector<Grant> ListGrants(const KernelObjects& objects, uint64_t run) {
  std::vector<Grant> grants;
  const auto add = [&grants](GrantedResource&& resource, const auto& value) {
    Grant grant = {.resource = std::move(resource),
                   .left = std::nullopt,
                   .uses = value.uses,
                   .used = value.used};
    if (value.expires_ns != 0) {
      const nanoseconds left(static_cast<int64_t>(value.expires_ns - NowBootNs()));
      grant.left = std::chrono::floor<milliseconds>(left);
    }
    grants.push_back(std::move(grant));
  };
  for (const palyra_grant_key& key : KeysOf(objects, run)) {
    palyra_grant value = {};
    if (bpf_map_lookup_elem(objects.fd(Table::kGrants), &key, &value) != 0) continue;
    add(ResourceOf(key), value);
  }
  for (auto& [resource, value] : ListPathGrants(objects, run)) add(std::move(resource), value);
  return grants;
}

void RemoveGrantsOf(const KernelObjects& objects, uint64_t run) {
  for (const palyra_grant_key& key : KeysOf(objects, run)) {
    bpf_map_delete_elem(objects.fd(Table::kGrants), &key);
  }
  RemovePathGrantsOf(objects, run);
}

std::optional<uint32_t> UsesLeft(const KernelObjects& objects, uint64_t run,
                                 const GrantedResource& resource) {
  const auto left_of = [](const auto& grant) -> std::optional<uint32_t> {
    if (HasExpired(grant)) return std::nullopt;
    if (grant.uses == 0) return UINT32_MAX;
    if (grant.used >= grant.uses) return std::nullopt;
    return grant.uses - grant.used;
  };
  if (!objects.runs().HasGrants(run)) return std::nullopt;
  if (const auto* const named = std::get_if<NameEvent>(&resource)) {
    const std::optional<palyra_path_grant> grant = ReadPathGrant(objects, run, *named);
    return grant ? left_of(*grant) : std::nullopt;
  }
  const palyra_grant_key key = KeyOf(run, std::get<NetEvent>(resource));
  palyra_grant grant = {};
  if (bpf_map_lookup_elem(objects.fd(Table::kGrants), &key, &grant) != 0) return std::nullopt;
  return left_of(grant);
}

bool AllowsFlow(const KernelObjects& objects, uint64_t run, const NetEvent& flow, bool took_use) {
  const palyra_grant_key key = KeyOf(run, flow);
  palyra_grant grant = {};
  if (bpf_map_lookup_elem(objects.fd(Table::kGrants), &key, &grant) != 0) return false;
  return !HasExpired(grant) && (grant.uses == 0 || took_use);
}

}  // namespace palyra::engine
