#include "engine/linked_names.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "bpf/abi.h"
#include "bpf/inode_address.skel.h"
#include "engine/file_tree.h"
#include "engine/libbpf_log.h"

namespace palyra::engine {
namespace {

// Of the kernel, where nobody makes links.
bool IsOfTheKernel(int fd) {
  constexpr long kKinds[] = {PROC_SUPER_MAGIC,    SYSFS_MAGIC,     CGROUP_SUPER_MAGIC,
                             CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC,   TRACEFS_MAGIC,
                             BPF_FS_MAGIC,        SECURITYFS_MAGIC};
  struct statfs status;
  return fstatfs(fd, &status) != 0 || std::ranges::find(kKinds, status.f_type) != std::end(kKinds);
}

class Search {
 public:
  Search(const policy::RuleSet& rules, const LinkLimits& limits)
      : rules_(&rules), limits_(limits), left_in_all_(limits.in_all) {}

  void LookAt(const std::string& path) {
    UniqueFd fd = Open(path);
    struct stat status;
    if (!fd.valid() || fstat(fd.get(), &status) != 0) return;
    if (S_ISDIR(status.st_mode) && IsOfTheKernel(fd.get())) return;
    left_ = std::min(limits_.in_directory, left_in_all_);
    const size_t before = left_;
    const bool is_whole =
        S_ISDIR(status.st_mode) ? Walk(path, status.st_dev) : Note(path, status, std::move(fd));
    if (!is_whole) found_.left_out.push_back(path);
    left_in_all_ -= before - left_;
  }

  LinkedFiles Take() { return std::move(found_); }

 private:
  // A file, and where its name ends in each automaton: of two names with the same everything is
  // decided alike.
  using Known = std::tuple<dev_t, ino_t, std::vector<uint32_t>>;

  const policy::RuleSet* rules_;
  LinkLimits limits_;
  size_t left_in_all_;
  size_t left_ = 0;
  std::set<Known> known_;
  LinkedFiles found_;

  UniqueFd Open(const std::string& path) {
    UniqueFd fd(OpenPathWithoutLinks(path.c_str()));
    if (!fd.valid()) NoteFailure(errno);
    return fd;
  }

  void NoteFailure(int failure) {
    if (failure == EMFILE || failure == ENFILE || failure == ENOMEM) found_.is_exhausted = true;
  }

  // False where there is no room for it.
  bool Note(const std::string& path, const struct stat& status, UniqueFd fd) {
    if (S_ISLNK(status.st_mode) || status.st_nlink < 2) return true;
    std::vector<uint32_t> states;
    states.reserve(rules_->names.size());
    for (const policy::NameRules& names : rules_->names) {
      states.push_back(names.automaton.StateAfter(policy::Automaton::kStart, path));
    }
    if (!known_.emplace(status.st_dev, status.st_ino, std::move(states)).second) return true;
    if (found_.files.size() >= limits_.files) return false;
    found_.files.push_back({.path = path, .fd = std::move(fd)});
    return true;
  }

  // False where something was left out. What is mounted below is looked at too, but for the
  // kernel's own.
  bool Walk(const std::string& path, dev_t device) {
    UniqueFd fd(OpenDirectoryWithoutLinks(path.c_str()));
    if (!fd.valid()) {
      NoteFailure(errno);
      return errno == ENOENT || errno == ENOTDIR;
    }
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(fdopendir(fd.get()), closedir);
    if (directory == nullptr) {
      NoteFailure(errno);
      return false;
    }
    (void)fd.Release();
    bool is_whole = true;
    while (const dirent* entry = readdir(directory.get())) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      if (left_ == 0) return false;
      --left_;
      struct stat status;
      if (fstatat(dirfd(directory.get()), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        continue;
      }
      is_whole =
          Enter(path == "/" ? path + entry->d_name : path + '/' + entry->d_name, status, device) &&
          is_whole;
    }
    return is_whole;
  }

  bool Enter(const std::string& path, const struct stat& status, dev_t device) {
    if (!S_ISDIR(status.st_mode) && status.st_nlink < 2) return true;
    UniqueFd fd = Open(path);
    struct stat opened;
    if (!fd.valid() || fstat(fd.get(), &opened) != 0) return true;
    if (S_ISDIR(opened.st_mode)) {
      return (opened.st_dev != device && IsOfTheKernel(fd.get())) || Walk(path, opened.st_dev);
    }
    return Note(path, opened, std::move(fd));
  }
};

// Loaded only where there is such a file.
class InodeAddresses {
 public:
  static Result<InodeAddresses> Load() {
    const LibbpfLog log;
    InodeAddresses made;
    if (made.skeleton_ == nullptr) return LoadFailure(errno, "to open the program of inodes");
    if (const int failure = inode_address_bpf__load(made.skeleton_.get()); failure != 0) {
      return LoadFailure(-failure, "to load the program of inodes");
    }
    return made;
  }

  [[nodiscard]] Result<uint64_t> Of(int fd) const {
    skeleton_->bss->asked = static_cast<__u32>(fd);
    LIBBPF_OPTS(bpf_test_run_opts, options);
    const int program = bpf_program__fd(skeleton_->progs.palyra_inode_address);
    if (bpf_prog_test_run_opts(program, &options) != 0) {
      return LoadFailure(errno, "to run the program of inodes");
    }
    if (skeleton_->bss->inode == 0) return Fail(ErrorCode::kInternal, "a file without an inode");
    return skeleton_->bss->inode;
  }

 private:
  std::unique_ptr<inode_address_bpf, void (*)(inode_address_bpf*)> skeleton_{
      inode_address_bpf__open(), inode_address_bpf__destroy};
};

std::vector<palyra_linked_key> KeysOf(const KernelObjects& objects, uint64_t run) {
  const int fd = objects.fd(Table::kLinkedNames);
  std::vector<palyra_linked_key> keys;
  palyra_linked_key key = {};
  palyra_linked_key* previous = nullptr;
  // A key that vanishes meanwhile starts the walk again; the bound ends one that never gets on.
  for (int i = 0; i < 4 * PALYRA_MAX_LINKED_NAMES; ++i) {
    if (bpf_map_get_next_key(fd, previous, &key) != 0) break;
    if (key.run == run) keys.push_back(key);
    previous = &key;
  }
  return keys;
}

std::optional<palyra_linked_name> NameOf(const std::string& path) {
  palyra_linked_name name = {};
  if (path.size() > PALYRA_TEXT_LENGTH - 1) return std::nullopt;
  name.first = static_cast<uint32_t>(PALYRA_TEXT_LENGTH - 1 - path.size());
  std::memcpy(name.text + name.first, path.data(), path.size());
  return name;
}

// At the next index of the file where that name is not there yet.
Result<void> AddName(const KernelObjects& objects, palyra_linked_key key,
                     const palyra_linked_name& name, const std::string& path) {
  const int fd = objects.fd(Table::kLinkedNames);
  for (key.index = 0; key.index < PALYRA_MOST_LINKED_NAMES; ++key.index) {
    if (bpf_map_update_elem(fd, &key, &name, BPF_NOEXIST) == 0) return {};
    if (errno != EEXIST) break;
    palyra_linked_name there = {};
    if (bpf_map_lookup_elem(fd, &key, &there) == 0 &&
        std::memcmp(&there, &name, sizeof(name)) == 0) {
      return {};
    }
  }
  return Fail(ErrorCode::kRefused,
              "FILE-LINKED: \"" + path +
                  "\" has too many hard links among what the policies protect, or there are too "
                  "many such files; remove the links, or forbid fewer of them by name");
}

}  // namespace

LinkedFiles FindLinkedFiles(const policy::RuleSet& rules, const LinkLimits& limits) {
  Search search(rules, limits);
  for (const std::string& name : rules.protected_names) search.LookAt(name);
  return search.Take();
}

Result<void> RequireAll(const LinkedFiles& found) {
  if (!found.is_exhausted) return {};
  return Fail(ErrorCode::kExhausted,
              "too many open files to look for hard links of what the policies protect");
}

Result<void> AddLinkedNames(const KernelObjects& objects, uint64_t run,
                            const std::vector<LinkedFile>& files) {
  if (files.empty()) return {};
  Result<InodeAddresses> addresses = InodeAddresses::Load();
  if (!addresses) return std::unexpected(addresses.error());
  for (const LinkedFile& file : files) {
    const std::optional<palyra_linked_name> name = NameOf(file.path);
    if (!name) continue;  // Nothing reaches it by that name.
    Result<uint64_t> inode = addresses->Of(file.fd.get());
    if (!inode) return std::unexpected(inode.error());
    palyra_linked_key key = {};
    key.run = run;
    key.inode = *inode;
    if (Result<void> added = AddName(objects, key, *name, file.path); !added) return added;
  }
  objects.runs().MarkLinkedNames(run);
  return {};
}

void RemoveLinkedNamesOf(const KernelObjects& objects, uint64_t run) {
  for (const palyra_linked_key& key : KeysOf(objects, run)) {
    bpf_map_delete_elem(objects.fd(Table::kLinkedNames), &key);
  }
}

}  // namespace palyra::engine
