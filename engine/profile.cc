#include "engine/profile.h"

#include <bpf/bpf.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <set>
#include <string>
#include <utility>

#include "engine/automata.h"
#include "engine/clock.h"
#include "engine/profile_keys.h"
#include "engine/table_image.h"

namespace palyra::engine {
namespace {

Result<void> UploadFailure(int failure, Table table) {
  std::string what = std::string("cannot write the kernel table \"") + TableName(table) + '"';
  if (failure == ENOSPC || failure == E2BIG) {
    what += " (it is full: other runs hold large policies; end one, or use fewer rules)";
  }
  return FailErrno(failure, what);
}

template <typename Key, typename Value>
Result<void> UploadEntries(const KernelObjects& objects, Table table,
                           const Entries<Key, Value>& entries) {
  if (entries.keys.empty()) return {};
  LIBBPF_OPTS(bpf_map_batch_opts, options);
  auto count = static_cast<__u32>(entries.keys.size());
  if (bpf_map_update_batch(objects.fd(table), entries.keys.data(), entries.values.data(), &count,
                           &options) != 0) {
    return UploadFailure(errno, table);
  }
  return {};
}

Result<void> UploadImage(const KernelObjects& objects, const TableImage& image) {
  Result<void> written = UploadEntries(objects, Table::kRows, image.rows);
  if (written) written = UploadEntries(objects, Table::kReasons, image.reasons);
  if (written) written = UploadEntries(objects, Table::kHosts4, image.hosts4);
  if (written) written = UploadEntries(objects, Table::kHosts6, image.hosts6);
  if (written) written = UploadEntries(objects, Table::kAddresses4, image.addresses4);
  if (written) written = UploadEntries(objects, Table::kAddresses6, image.addresses6);
  if (written) written = UploadEntries(objects, Table::kProgramDigests, image.program_digests);
  if (written) written = UploadEntries(objects, Table::kNameLeaves, image.name_leaves);
  if (written) written = UploadNameRules(objects, image.name_rules);
  return written;
}

// A batch ends at the first key that is not there; then they go one by one. How many were there.
template <typename Key>
size_t RemoveKeys(const KernelObjects& objects, Table table, std::vector<Key> keys) {
  if (keys.empty()) return 0;
  if constexpr (requires(Key key) { key.prefix_length; }) SortForRemoval(keys);
  const int fd = objects.fd(table);
  LIBBPF_OPTS(bpf_map_batch_opts, options);
  auto count = static_cast<__u32>(keys.size());
  if (bpf_map_delete_batch(fd, keys.data(), &count, &options) == 0) return keys.size();
  size_t removed = count;
  for (const Key& key : keys) removed += bpf_map_delete_elem(fd, &key) == 0 ? 1 : 0;
  return removed;
}

// Frees the places of automata, so the leaves of these are gone before. Most actions have none; a
// failure of another kind is tried again, because what stays keeps its place for good.
void RemoveNameRules(const KernelObjects& objects, uint32_t profile) {
  constexpr int kMostTries = 3;
  palyra_name_rules_key key = {};
  key.profile = profile;
  for (uint8_t action = 0; action < PALYRA_NAME_ACTIONS; ++action) {
    key.action = static_cast<palyra_name_action>(action);
    for (int i = 0; i < kMostTries; ++i) {
      if (bpf_map_delete_elem(objects.fd(Table::kNameRules), &key) == 0 || errno == ENOENT) break;
    }
  }
}

void RemoveImage(const KernelObjects& objects, const TableImage& image) {
  RemoveKeys(objects, Table::kAddresses4, image.addresses4.keys);
  RemoveKeys(objects, Table::kAddresses6, image.addresses6.keys);
  RemoveKeys(objects, Table::kHosts4, image.hosts4.keys);
  RemoveKeys(objects, Table::kHosts6, image.hosts6.keys);
  RemoveKeys(objects, Table::kRows, image.rows.keys);
  RemoveKeys(objects, Table::kReasons, image.reasons.keys);
  RemoveKeys(objects, Table::kNameLeaves, image.name_leaves.keys);
  RemoveKeys(objects, Table::kProgramDigests, image.program_digests.keys);
  if (!image.name_rules.empty()) RemoveNameRules(objects, image.name_rules[0].key.profile);
}

// Classes with rows, by number and port shift.
using RowClasses = std::set<std::pair<uint32_t, uint8_t>>;

template <typename Key>
void AddRowClasses(int trie, const std::vector<Key>& keys, RowClasses& classes) {
  for (const Key& key : keys) {
    palyra_address_class value;
    if (bpf_map_lookup_elem(trie, &key, &value) == 0 && value.in_rows != 0) {
      classes.emplace(value.address_class, value.port_shift);
    }
  }
}

std::vector<palyra_row_key> PossibleRows(uint32_t profile, const RowClasses& classes) {
  constexpr uint32_t kPorts = 1 << 16;
  std::vector<palyra_row_key> keys;
  for (const auto& [address_class, shift] : classes) {
    for (uint32_t part = 0; part <= (kPorts - 1) >> shift; ++part) {
      keys.push_back({.profile = profile, .address_class = address_class, .part = part});
    }
  }
  return keys;
}

// How many were there. Some are named by several prefixes.
template <typename HostKey, typename Key>
size_t RemoveHosts(const KernelObjects& objects, Table table, const std::vector<Key>& prefixes) {
  std::vector<HostKey> hosts;
  for (const Key& prefix : prefixes) {
    const std::vector<HostKey> some = HostKeys<HostKey>(prefix);
    hosts.insert(hosts.end(), some.begin(), some.end());
  }
  return RemoveKeys(objects, table, hosts);
}

std::vector<palyra_reason_key> ReasonKeys(uint32_t profile, uint32_t count) {
  std::vector<palyra_reason_key> keys;
  keys.reserve(count);
  for (uint32_t i = 0; i < count; ++i) keys.push_back({.profile = profile, .reason = i});
  return keys;
}

// How many were there.
size_t RemoveLeaves(const KernelObjects& objects, uint32_t profile) {
  size_t removed = 0;
  for (uint8_t action = 0; action < PALYRA_NAME_ACTIONS; ++action) {
    palyra_name_leaf_key key = {};
    key.profile = profile;
    key.action = static_cast<palyra_name_action>(action);
    const palyra_name_rules_key rules_key = {
        .profile = profile, .action = key.action, .padding = {}};
    palyra_name_rules rules;
    if (bpf_map_lookup_elem(objects.fd(Table::kNameRules), &rules_key, &rules) != 0) continue;
    for (key.text_class = 0; key.text_class < rules.class_count; ++key.text_class) {
      for (key.flag = 0; key.flag < rules.flag_count; ++key.flag) {
        removed += bpf_map_delete_elem(objects.fd(Table::kNameLeaves), &key) == 0 ? 1 : 0;
      }
    }
  }
  return removed;
}

// How many there were.
template <typename Key>
size_t RemoveAllKeysOf(const KernelObjects& objects, Table table, uint32_t profile) {
  return RemoveKeys(objects, table, AllKeysOf<Key>(objects.fd(table), profile));
}

// False where the profile is not as its record says: then something is left.
bool RemoveByRecord(const KernelObjects& objects, const ProfileRecord& record) {
  const palyra_profile& profile = record.profile;
  const int trie4 = objects.fd(Table::kAddresses4);
  const int trie6 = objects.fd(Table::kAddresses6);
  auto keys4 = NeighbouringKeys(trie4, profile.first4, profile.addresses4);
  auto keys6 = NeighbouringKeys(trie6, profile.first6, profile.addresses6);
  if (!keys4 || !keys6) return false;
  size_t rows = 0;
  if (profile.rows != 0) {
    RowClasses classes;
    AddRowClasses(trie4, *keys4, classes);
    AddRowClasses(trie6, *keys6, classes);
    for (const palyra_row_key& key : PossibleRows(record.id, classes)) {
      rows += bpf_map_delete_elem(objects.fd(Table::kRows), &key) == 0 ? 1 : 0;
    }
  }
  size_t hosts = 0;
  if ((record.id & PALYRA_HAS_HOSTS4) != 0) {
    hosts += RemoveHosts<palyra_host4_key>(objects, Table::kHosts4, *keys4);
  }
  if ((record.id & PALYRA_HAS_HOSTS6) != 0) {
    hosts += RemoveHosts<palyra_host6_key>(objects, Table::kHosts6, *keys6);
  }
  RemoveKeys(objects, Table::kAddresses4, *std::move(keys4));
  RemoveKeys(objects, Table::kAddresses6, *std::move(keys6));
  RemoveKeys(objects, Table::kReasons, ReasonKeys(record.id, profile.reasons));
  if (profile.automata != 0) {
    if (RemoveLeaves(objects, record.id) != profile.name_leaves) return false;
    if (profile.program_digests != 0 &&
        RemoveAllKeysOf<palyra_program_digest>(objects, Table::kProgramDigests, record.id) !=
            profile.program_digests) {
      return false;
    }
    RemoveNameRules(objects, record.id);
  }
  return rows == profile.rows && hosts == profile.hosts;
}

void RemoveBySearch(const KernelObjects& objects, uint32_t id) {
  RemoveAllKeysOf<palyra_address4_key>(objects, Table::kAddresses4, id);
  RemoveAllKeysOf<palyra_address6_key>(objects, Table::kAddresses6, id);
  if ((id & PALYRA_HAS_HOSTS4) != 0) {
    RemoveAllKeysOf<palyra_host4_key>(objects, Table::kHosts4, id);
  }
  if ((id & PALYRA_HAS_HOSTS6) != 0) {
    RemoveAllKeysOf<palyra_host6_key>(objects, Table::kHosts6, id);
  }
  RemoveAllKeysOf<palyra_row_key>(objects, Table::kRows, id);
  RemoveAllKeysOf<palyra_reason_key>(objects, Table::kReasons, id);
  RemoveAllKeysOf<palyra_name_leaf_key>(objects, Table::kNameLeaves, id);
  RemoveAllKeysOf<palyra_program_digest>(objects, Table::kProgramDigests, id);
  RemoveNameRules(objects, id);
}

palyra_digest KeyOf(const base::Sha256Digest& digest) {
  palyra_digest key;
  static_assert(sizeof(key.bytes) == sizeof(digest));
  std::memcpy(key.bytes, digest.data(), sizeof(key.bytes));
  return key;
}

std::optional<uint32_t> ProfileAt(const KernelObjects& objects, const palyra_digest& digest) {
  uint32_t id = 0;
  if (bpf_map_lookup_elem(objects.fd(Table::kDigests), &digest, &id) != 0) return std::nullopt;
  return id;
}

palyra_digest DigestOf(const palyra_profile& profile) {
  palyra_digest digest;
  std::memcpy(digest.bytes, profile.digest, sizeof(digest.bytes));
  return digest;
}

// The names of a profile go before and come after its entries, and the note that somebody is at
// work on it comes first and goes last.
void ForgetProfile(const KernelObjects& objects, uint32_t id) {
  bpf_map_delete_elem(objects.fd(Table::kProfiles), &id);
  bpf_map_delete_elem(objects.fd(Table::kUnfinished), &id);
}

void ForgetDigest(const KernelObjects& objects, const ProfileRecord& record) {
  const palyra_digest digest = DigestOf(record.profile);
  if (ProfileAt(objects, digest) != record.id) return;
  bpf_map_delete_elem(objects.fd(Table::kDigests), &digest);
}

// `flags` as HostsFlags() and JudgedFlags() say.
Result<uint32_t> TakeProfileId(const KernelObjects& objects, uint32_t flags) {
  constexpr uint32_t kFlags =
      PALYRA_HAS_HOSTS4 | PALYRA_HAS_HOSTS6 | PALYRA_JUDGES_FILES | PALYRA_ASKS_DIGESTS;
  const palyra_profile profile = {};
  const auto own = static_cast<uint32_t>(getpid());
  while (true) {
    uint32_t id = 0;
    if (getrandom(&id, sizeof(id), 0) != sizeof(id)) return FailErrno(errno, "no random numbers");
    id = (id & ~kFlags) | flags;
    if (id == 0) continue;
    Table table = Table::kUnfinished;
    if (bpf_map_update_elem(objects.fd(table), &id, &own, BPF_NOEXIST) == 0) {
      table = Table::kProfiles;
      if (bpf_map_update_elem(objects.fd(table), &id, &profile, BPF_NOEXIST) == 0) return id;
      const int failure = errno;
      bpf_map_delete_elem(objects.fd(Table::kUnfinished), &id);
      errno = failure;
    }
    if (errno == EEXIST) continue;
    Result<void> failure = UploadFailure(errno, table);
    return std::unexpected(failure.error());
  }
}

palyra_profile RecordOf(const TableImage& image, const base::Sha256Digest& digest) {
  palyra_profile profile = {};
  std::memcpy(profile.digest, digest.data(), sizeof(profile.digest));
  profile.last_used_ns = NowBootNs();
  profile.addresses4 = static_cast<uint32_t>(image.addresses4.keys.size());
  profile.addresses6 = static_cast<uint32_t>(image.addresses6.keys.size());
  profile.rows = static_cast<uint32_t>(image.rows.keys.size());
  profile.reasons = static_cast<uint32_t>(image.reasons.keys.size());
  profile.hosts = static_cast<uint32_t>(image.hosts4.keys.size() + image.hosts6.keys.size());
  profile.name_leaves = static_cast<uint32_t>(image.name_leaves.keys.size());
  profile.automata = AutomataEntries(image.name_rules);
  profile.program_digests = static_cast<uint32_t>(image.program_digests.keys.size());
  profile.first4 = FirstKey(image.addresses4.keys);
  profile.first6 = FirstKey(image.addresses6.keys);
  profile.complete = 1;
  return profile;
}

// Nothing where another profile has that digest already.
Result<bool> MakeKnown(const KernelObjects& objects, uint32_t id, const palyra_profile& profile) {
  if (bpf_map_update_elem(objects.fd(Table::kProfiles), &id, &profile, BPF_EXIST) != 0) {
    Result<void> failure = UploadFailure(errno, Table::kProfiles);
    return std::unexpected(failure.error());
  }
  const palyra_digest digest = DigestOf(profile);
  if (bpf_map_update_elem(objects.fd(Table::kDigests), &digest, &id, BPF_NOEXIST) == 0) return true;
  if (errno == EEXIST) return false;
  Result<void> failure = UploadFailure(errno, Table::kDigests);
  return std::unexpected(failure.error());
}

Result<uint32_t> WriteProfile(const KernelObjects& objects, const policy::RuleSet& rules,
                              const base::Sha256Digest& digest, uint32_t hosts) {
  Result<uint32_t> id = TakeProfileId(objects, hosts | JudgedFlags(rules));
  if (!id) return id;
  Result<TableImage> image = BuildTableImage(rules, *id);
  if (!image) {
    ForgetProfile(objects, *id);
    return std::unexpected(image.error());
  }
  Result<void> written = UploadImage(objects, *image);
  Result<bool> known = false;
  if (written) known = MakeKnown(objects, *id, RecordOf(*image, digest));
  if (written && known && *known) {
    bpf_map_delete_elem(objects.fd(Table::kUnfinished), &*id);
    return id;
  }
  RemoveImage(objects, *image);
  ForgetProfile(objects, *id);
  if (!written) return std::unexpected(written.error());
  if (!known) return std::unexpected(known.error());
  if (const auto other = FindProfile(objects, digest)) return *other;
  return Fail(ErrorCode::kUnavailable,
              "the kernel tables hold a profile of these rules that is "
              "not whole; run \"palyra sweep\"");
}

}  // namespace

Result<uint32_t> WriteProfile(const KernelObjects& objects, const policy::RuleSet& rules,
                              const base::Sha256Digest& digest) {
  if (const uint32_t hosts = HostsFlags(rules); hosts != 0) {
    // Those tables are the smallest, and only for speed.
    Result<uint32_t> written = WriteProfile(objects, rules, digest, hosts);
    if (written || written.error().code != ErrorCode::kExhausted) return written;
  }
  return WriteProfile(objects, rules, digest, 0);
}

std::optional<uint32_t> FindProfile(const KernelObjects& objects,
                                    const base::Sha256Digest& digest) {
  const std::optional<uint32_t> id = ProfileAt(objects, KeyOf(digest));
  if (!id) return std::nullopt;
  const std::optional<palyra_profile> profile = ReadProfileRecord(objects, *id);
  const bool usable = profile && profile->complete != 0 &&
                      std::memcmp(profile->digest, digest.data(), digest.size()) == 0;
  return usable ? id : std::nullopt;
}

void TouchProfile(const KernelObjects& objects, uint32_t id) {
  std::optional<palyra_profile> profile = ReadProfileRecord(objects, id);
  if (!profile) return;
  profile->last_used_ns = NowBootNs();
  bpf_map_update_elem(objects.fd(Table::kProfiles), &id, &*profile, BPF_EXIST);
}

std::optional<palyra_profile> ReadProfileRecord(const KernelObjects& objects, uint32_t id) {
  palyra_profile profile;
  if (bpf_map_lookup_elem(objects.fd(Table::kProfiles), &id, &profile) != 0) return std::nullopt;
  return profile;
}

std::vector<ProfileRecord> ReadProfileRecords(const KernelObjects& objects) {
  constexpr size_t kAtOnce = 128;
  std::vector<ProfileRecord> records;
  std::array<uint32_t, kAtOnce> ids;
  std::array<palyra_profile, kAtOnce> profiles;
  uint32_t position = 0;
  void* from = nullptr;
  LIBBPF_OPTS(bpf_map_batch_opts, options);
  while (true) {
    __u32 count = kAtOnce;
    const int status = bpf_map_lookup_batch(objects.fd(Table::kProfiles), from, &position,
                                            ids.data(), profiles.data(), &count, &options);
    if (status != 0 && errno != ENOENT) return records;
    for (size_t i = 0; i < count; ++i) {
      records.push_back({.id = ids.at(i), .profile = profiles.at(i)});
    }
    if (status != 0) return records;
    from = &position;
  }
}

void RemoveProfile(const KernelObjects& objects, const ProfileRecord& record) {
  const auto own = static_cast<uint32_t>(getpid());
  // Without room for the note a death in what follows would leave an incomplete profile for good.
  if (bpf_map_update_elem(objects.fd(Table::kUnfinished), &record.id, &own, BPF_ANY) != 0) return;
  palyra_profile profile = record.profile;
  profile.complete = 0;
  bpf_map_update_elem(objects.fd(Table::kProfiles), &record.id, &profile, BPF_EXIST);
  ForgetDigest(objects, record);
  if (record.profile.complete == 0 || !RemoveByRecord(objects, record)) {
    RemoveBySearch(objects, record.id);
  }
  ForgetProfile(objects, record.id);
}

void RemoveUnfinishedProfiles(const KernelObjects& objects) {
  const int unfinished = objects.fd(Table::kUnfinished);
  uint32_t id = 0;
  while (bpf_map_get_next_key(unfinished, nullptr, &id) == 0) {
    const std::optional<palyra_profile> profile = ReadProfileRecord(objects, id);
    const bool is_whole =
        profile && profile->complete != 0 && ProfileAt(objects, DigestOf(*profile)) == id;
    if (!is_whole) {
      if (profile) ForgetDigest(objects, {.id = id, .profile = *profile});
      RemoveBySearch(objects, id);
      bpf_map_delete_elem(objects.fd(Table::kProfiles), &id);
    }
    if (bpf_map_delete_elem(unfinished, &id) != 0) return;
  }
}

bool HasUnfinishedProfiles(const KernelObjects& objects) {
  uint32_t id = 0;
  return bpf_map_get_next_key(objects.fd(Table::kUnfinished), nullptr, &id) == 0;
}

}  // namespace palyra::engine
