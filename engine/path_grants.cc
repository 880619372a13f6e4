#include "engine/path_grants.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

namespace palyra::engine {
namespace {

using policy::NameAction;
using policy::NameEvent;

palyra_path_grant_key KeyOf(uint64_t run, const NameEvent& resource) {
  palyra_path_grant_key key = {};
  key.run = run;
  key.action = static_cast<uint8_t>(resource.action);
  std::memcpy(key.path, resource.name.data(), std::min(resource.name.size(), sizeof(key.path)));
  return key;
}

std::vector<palyra_path_grant_key> KeysOf(const KernelObjects& objects, uint64_t run) {
  const int fd = objects.fd(Table::kPathGrants);
  std::vector<palyra_path_grant_key> keys;
  palyra_path_grant_key key = {};
  palyra_path_grant_key* previous = nullptr;
  // As of the other grants: a key that vanishes meanwhile starts the walk again.
  for (int i = 0; i < 4 * PALYRA_MAX_PATH_GRANTS; ++i) {
    if (bpf_map_get_next_key(fd, previous, &key) != 0) break;
    if (key.run == run) keys.push_back(key);
    previous = &key;
  }
  return keys;
}

bool IsJudged(const KernelObjects& objects, NameAction action) {
  return action == NameAction::kUnixConnect ? objects.unix_judge() == UnixJudge::kByPeer
                                            : objects.judges_files();
}

}  // namespace

Result<void> RequireGrantable(const KernelObjects& objects, const NameEvent& resource) {
  const bool is_process =
      resource.action == NameAction::kProcessSignal || resource.action == NameAction::kProcessTrace;
  if (is_process || resource.flag || resource.sha256 || !resource.name.starts_with('/')) {
    return Fail(ErrorCode::kInvalidArgument,
                "there are grants for addresses, files, programs and sockets with a path alone");
  }
  if (resource.name.size() >= PALYRA_GRANTED_PATH_LENGTH) {
    return Fail(ErrorCode::kInvalidArgument, "the path is too long for a grant, which takes " +
                                                 std::to_string(PALYRA_GRANTED_PATH_LENGTH - 1) +
                                                 " bytes");
  }
  if (IsJudged(objects, resource.action)) return {};
  return Fail(ErrorCode::kUnsupported,
              "without BPF LSM files, programs and unix sockets are held as the run began; a grant "
              "changes nothing of it");
}

Result<void> WritePathGrant(const KernelObjects& objects, uint64_t run, const NameEvent& resource,
                            const palyra_path_grant& grant) {
  const palyra_path_grant_key key = KeyOf(run, resource);
  if (bpf_map_update_elem(objects.fd(Table::kPathGrants), &key, &grant, BPF_ANY) != 0) {
    return FailErrno(errno, "cannot write the kernel table \"path_grants\"");
  }
  return {};
}

bool RemovePathGrant(const KernelObjects& objects, uint64_t run, const NameEvent& resource) {
  const palyra_path_grant_key key = KeyOf(run, resource);
  return bpf_map_delete_elem(objects.fd(Table::kPathGrants), &key) == 0;
}

std::optional<palyra_path_grant> ReadPathGrant(const KernelObjects& objects, uint64_t run,
                                               const NameEvent& resource) {
  const palyra_path_grant_key key = KeyOf(run, resource);
  palyra_path_grant grant = {};
  if (bpf_map_lookup_elem(objects.fd(Table::kPathGrants), &key, &grant) != 0) return std::nullopt;
  return grant;
}

std::vector<std::pair<NameEvent, palyra_path_grant>> ListPathGrants(const KernelObjects& objects,
                                                                    uint64_t run) {
  std::vector<std::pair<NameEvent, palyra_path_grant>> grants;
  for (const palyra_path_grant_key& key : KeysOf(objects, run)) {
    palyra_path_grant grant = {};
    if (bpf_map_lookup_elem(objects.fd(Table::kPathGrants), &key, &grant) != 0) continue;
    const auto* const path = reinterpret_cast<const char*>(key.path);
    grants.emplace_back(NameEvent{.action = static_cast<NameAction>(key.action),
                                  .name = std::string(path, strnlen(path, sizeof(key.path)))},
                        grant);
  }
  return grants;
}

void RemovePathGrantsOf(const KernelObjects& objects, uint64_t run) {
  for (const palyra_path_grant_key& key : KeysOf(objects, run)) {
    bpf_map_delete_elem(objects.fd(Table::kPathGrants), &key);
  }
}

}  // namespace palyra::engine
