#include "engine/profile.h"

#include <bpf/bpf.h>
#include <sys/random.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

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

// A batch ends at the first key that is not there; then they go one by one.
template <typename Key>
void RemoveKeys(const KernelObjects& objects, Table table, const std::vector<Key>& keys) {
  if (keys.empty()) return;
  const int fd = objects.fd(table);
  LIBBPF_OPTS(bpf_map_batch_opts, options);
  auto count = static_cast<__u32>(keys.size());
  if (bpf_map_delete_batch(fd, keys.data(), &count, &options) == 0) return;
  for (const Key& key : keys) bpf_map_delete_elem(fd, &key);
}

// Keys are collected before any is deleted: deleting the current key would restart the iteration.
template <typename Key>
void RemoveKeysOf(const KernelObjects& objects, Table table, uint32_t profile) {
  const int fd = objects.fd(table);
  std::vector<Key> found;
  Key key = {};
  Key* previous = nullptr;
  while (bpf_map_get_next_key(fd, previous, &key) == 0) {
    if (key.profile == profile) found.push_back(key);
    previous = &key;
  }
  RemoveKeys(objects, table, found);
}

Result<uint32_t> TakeProfileId(const KernelObjects& objects, uint64_t owner) {
  const palyra_profile profile = {.owner = owner};
  while (true) {
    uint32_t id = 0;
    if (getrandom(&id, sizeof(id), 0) != sizeof(id)) return FailErrno(errno, "no random numbers");
    if (id == 0) continue;
    if (bpf_map_update_elem(objects.fd(Table::kProfiles), &id, &profile, BPF_NOEXIST) == 0) {
      return id;
    }
    if (errno != EEXIST) {
      Result<void> failure = UploadFailure(errno, Table::kProfiles);
      return std::unexpected(failure.error());
    }
  }
}

}  // namespace

Profile::Profile(Profile&& other) noexcept
    : objects_(std::exchange(other.objects_, nullptr)),
      id_(other.id_),
      image_(std::move(other.image_)) {}

Profile::~Profile() {
  if (objects_ == nullptr) return;
  RemoveKeys(*objects_, Table::kAddresses4, image_.addresses4.keys);
  RemoveKeys(*objects_, Table::kAddresses6, image_.addresses6.keys);
  RemoveKeys(*objects_, Table::kRows, image_.rows.keys);
  RemoveKeys(*objects_, Table::kReasons, image_.reasons.keys);
  bpf_map_delete_elem(objects_->fd(Table::kProfiles), &id_);
}

Result<Profile> Profile::Upload(const KernelObjects& objects, const policy::RuleSet& rules,
                                uint64_t owner) {
  Result<uint32_t> id = TakeProfileId(objects, owner);
  if (!id) return std::unexpected(id.error());
  Profile profile(objects, *id);
  Result<TableImage> image = BuildTableImage(rules, *id);
  if (!image) return std::unexpected(image.error());
  profile.image_ = *std::move(image);

  Result<void> written = UploadEntries(objects, Table::kRows, profile.image_.rows);
  if (written) written = UploadEntries(objects, Table::kReasons, profile.image_.reasons);
  if (written) written = UploadEntries(objects, Table::kAddresses4, profile.image_.addresses4);
  if (written) written = UploadEntries(objects, Table::kAddresses6, profile.image_.addresses6);
  if (!written) return std::unexpected(written.error());
  return profile;
}

Result<void> RemoveProfile(const KernelObjects& objects, uint32_t id) {
  RemoveKeysOf<palyra_address4_key>(objects, Table::kAddresses4, id);
  RemoveKeysOf<palyra_address6_key>(objects, Table::kAddresses6, id);
  RemoveKeysOf<palyra_row_key>(objects, Table::kRows, id);
  RemoveKeysOf<palyra_reason_key>(objects, Table::kReasons, id);
  if (bpf_map_delete_elem(objects.fd(Table::kProfiles), &id) != 0 && errno != ENOENT) {
    return FailErrno(errno, "cannot remove a profile");
  }
  return {};
}

}  // namespace palyra::engine
