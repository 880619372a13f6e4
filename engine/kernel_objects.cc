#include "engine/kernel_objects.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>

#include "base/file.h"
#include "bpf/generation.h"
#include "engine/cgroup.h"
#include "engine/file_programs.h"
#include "engine/programs.h"

namespace palyra::engine {
namespace {

constexpr std::array<const char*, kTableCount> kTableNames = {
    "runs",     "profiles",    "digests",     "unfinished",      "addresses4",   "addresses6",
    "hosts4",   "hosts6",      "rows",        "reasons",         "ring_owners",  "rings",
    "grants",   "flows",       "names",       "redirects",       "brokers",      "relayed",
    "audited",  "name_rules",  "name_leaves", "program_digests", "linked_names", "path_grants",
    "automata", "unix_sockets"};

// A link outlives the cgroup it was attached to, but then attaches nothing.
bool IsAttachedTo(const std::string& link_path, uint64_t cgroup_id) {
  const UniqueFd fd(bpf_obj_get(link_path.c_str()));
  if (!fd.valid()) return false;
  bpf_link_info info = {};
  __u32 size = sizeof(info);
  return bpf_obj_get_info_by_fd(fd.get(), &info, &size) == 0 && info.cgroup.cgroup_id == cgroup_id;
}

// As many links as are pinned in the directory, of whatever kind.
std::string CountOfLinks(const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(opendir(directory.c_str()), closedir);
  size_t count = 0;
  while (const dirent* entry = entries == nullptr ? nullptr : readdir(entries.get())) {
    if (std::string_view(entry->d_name).starts_with("link_")) ++count;
  }
  return std::to_string(count);
}

// Which programs there are depends on the kernel, so an installation notes how many links it has
// pinned: as the target of a symbolic link, because this file system has no other files for text.
std::string NoteOfLinks(const std::string& directory) { return directory + "/links"; }

bool HasAllLinks(const std::string& directory) {
  std::error_code failure;
  const std::string noted = std::filesystem::read_symlink(NoteOfLinks(directory), failure);
  return !failure && noted == CountOfLinks(directory);
}

bool AllAttached(const std::string& pin_path, const std::string& cgroup_path) {
  struct stat status;
  if (stat(cgroup_path.c_str(), &status) != 0 || !HasAllLinks(pin_path)) return false;
  return std::ranges::all_of(kProgramNames, [&](const char* program) {
    return IsAttachedTo(pin_path + "/link_" + program, status.st_ino);
  });
}

Result<void> MakeDirectory(const std::string& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return {};
  return FailErrno(errno, "cannot make the directory \"" + path + '"');
}

// Removes pins and their directory; absence is success.
Result<void> RemovePins(const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(opendir(directory.c_str()), closedir);
  if (entries == nullptr) return {};
  while (const dirent* entry = readdir(entries.get())) {
    if (entry->d_name[0] != '.') unlinkat(dirfd(entries.get()), entry->d_name, 0);
  }
  if (rmdir(directory.c_str()) != 0 && errno != ENOENT) {
    return FailErrno(errno, "cannot remove \"" + directory + '"');
  }
  return {};
}

unsigned DepthOf(const std::string& path) {
  unsigned depth = 0;
  bool in_name = false;
  for (const char c : path) {
    if (c != '/' && !in_name) ++depth;
    in_name = c != '/';
  }
  return depth;
}

// "0::/path" of /proc/self/cgroup: this process's cgroup below the cgroup namespace's root.
Result<std::string> OwnCgroupPath() {
  Result<std::string> text = base::ReadFile("/proc/self/cgroup");
  if (!text) return text;
  const size_t start = text->rfind("0::");
  if (start == std::string::npos) return Fail(ErrorCode::kUnsupported, "no cgroup2 hierarchy");
  const size_t end = text->find('\n', start);
  std::string path = text->substr(start + 3, end - start - 3);
  if (path.starts_with("/..")) {
    return Fail(ErrorCode::kUnsupported,
                "this process is outside its own cgroup namespace; start it inside one");
  }
  return path;
}

// Level of run cgroups: <cgroup2 mount>/palyra/<generation>/<run>.
Result<unsigned> RunLevel(const Host& host) {
  Result<std::string> own_path = OwnCgroupPath();
  if (!own_path) return std::unexpected(own_path.error());
  Result<unsigned> own_level = OwnCgroupLevel();
  if (!own_level) return own_level;
  const unsigned own_depth = DepthOf(*own_path);
  if (own_depth > *own_level) return Fail(ErrorCode::kInternal, "cgroup levels do not add up");
  return *own_level - own_depth + DepthOf(host.cgroup2.root) + 3;
}

// Pinned under a temporary name first: a generation's directory is there whole or not at all. What
// an earlier, damaged installation still holds is let go only when the new programs are attached.
Result<void> Install(const Host& host, Features& features, const std::string& cgroup_path,
                     const std::string& pin_path) {
  if (Result<void> able = RequireFeatures(features); !able) return able;
  if (Result<void> made = MakeDirectory(PalyraCgroup(host), 0755); !made) return made;
  if (Result<void> made = MakeDirectory(cgroup_path, 0755); !made) return made;
  if (Result<void> made = MakeDirectory(PalyraPins(host), 0700); !made) return made;

  Result<unsigned> level = RunLevel(host);
  if (!level) return std::unexpected(level.error());
  Result<Cgroup> cgroup = Cgroup::Open(cgroup_path);
  if (!cgroup) return std::unexpected(cgroup.error());

  const Judges judges = JudgesFor(features);
  const std::string staging = PalyraPins(host) + "/staging";
  if (Result<void> removed = RemovePins(staging); !removed) return removed;
  if (Result<void> made = MakeDirectory(staging, 0700); !made) return made;
  Result<void> loaded = LoadAttachAndPin({.run_level = *level,
                                          .cgroup_fd = cgroup->fd(),
                                          .cgroup_id = cgroup->id(),
                                          .with_lsm = judges.files,
                                          .with_digests = judges.digests,
                                          .unix_judge = judges.unix_sockets,
                                          .pin_directory = staging});
  if (!loaded) {
    (void)RemovePins(staging);
    return loaded;
  }
  if (symlink(CountOfLinks(staging).c_str(), NoteOfLinks(staging).c_str()) != 0) {
    const int failure = errno;
    (void)RemovePins(staging);
    return FailErrno(failure, "cannot note the number of links in \"" + staging + '"');
  }
  if (Result<void> removed = RemovePins(pin_path); !removed) return removed;
  if (rename(staging.c_str(), pin_path.c_str()) != 0) {
    const int failure = errno;
    (void)RemovePins(staging);
    return FailErrno(failure, "cannot name the pinned objects \"" + pin_path + '"');
  }
  return {};
}

Result<UniqueFd> OpenLockFile(const std::string& path) {
  return base::OpenFile(path, O_RDWR | O_CREAT, 0600);
}

}  // namespace

Result<UniqueFd> KernelObjects::LockRuns() const { return LockFile("runs.lock"); }

Result<UniqueFd> KernelObjects::LockAutomata() const { return LockFile("automata.lock"); }

Result<UniqueFd> KernelObjects::LockFile(const char* name) const {
  const std::string path = runtime_directory_ + '/' + name;
  Result<UniqueFd> fd = OpenLockFile(path);
  if (!fd) return fd;
  while (flock(fd->get(), LOCK_EX) != 0) {
    if (errno != EINTR) return FailErrno(errno, "cannot lock \"" + path + '"');
  }
  return fd;
}

Result<UniqueFd> KernelObjects::LockProfiles(ProfileLock kind,
                                             std::chrono::milliseconds patience) const {
  const std::string path = runtime_directory_ + "/profiles.lock";
  Result<UniqueFd> fd = OpenLockFile(path);
  if (!fd) return fd;
  const auto deadline = std::chrono::steady_clock::now() + patience;
  const int operation = (kind == ProfileLock::kShared ? LOCK_SH : LOCK_EX) | LOCK_NB;
  while (flock(fd->get(), operation) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return FailErrno(errno, "cannot lock \"" + path + '"');
    if (std::chrono::steady_clock::now() >= deadline) {
      return Fail(ErrorCode::kUnavailable, "other starts hold \"" + path + "\"; try again");
    }
    constexpr std::chrono::microseconds kPause{200};
    std::this_thread::sleep_for(kPause);
  }
  return fd;
}

Result<UniqueFd> LockKernelObjects(const Host& host) {
  const std::string path = host.runtime_directory + "/install.lock";
  Result<UniqueFd> fd = OpenLockFile(path);
  if (!fd) return fd;
  if (flock(fd->get(), LOCK_EX) != 0) return FailErrno(errno, "cannot lock \"" + path + '"');
  return fd;
}

Judges JudgesFor(Features& features) {
  if (features.Has(Feature::kBpfLsm)) {
    return {.families = true,
            .unix_sockets = UnixJudge::kByPeer,
            .files = true,
            .digests = features.Has(Feature::kProgramDigests)};
  }
  const bool sees_addresses = features.Has(Feature::kUnixSocketPrograms);
  return {.unix_sockets = sees_addresses ? UnixJudge::kByAddress : UnixJudge::kNone};
}

const char* TableName(Table table) { return kTableNames[static_cast<size_t>(table)]; }

std::string PalyraCgroup(const Host& host) { return host.cgroup2.mount_point + "/palyra"; }
std::string PalyraPins(const Host& host) { return host.bpffs + "/palyra"; }
const char* GenerationName() { return PALYRA_GENERATION; }

Result<KernelObjects> KernelObjects::Open(const Host& host, Features& features) {
  // Whoever sweeps may remove a generation without runs, its cgroup first: what was found of the
  // programs while the cgroup is there is all of it.
  constexpr int kMostTries = 3;
  for (int i = 1;; ++i) {
    Result<KernelObjects> objects = TryOpen(host, features);
    const std::string cgroup = PalyraCgroup(host) + '/' + GenerationName();
    if (i == kMostTries || access(cgroup.c_str(), F_OK) == 0) return objects;
  }
}

Result<KernelObjects> KernelObjects::TryOpen(const Host& host, Features& features) {
  KernelObjects objects;
  objects.cgroup_path_ = PalyraCgroup(host) + '/' + GenerationName();
  objects.pin_path_ = PalyraPins(host) + '/' + GenerationName();
  objects.runtime_directory_ = host.runtime_directory;

  if (!AllAttached(objects.pin_path_, objects.cgroup_path_)) {
    Result<UniqueFd> lock = LockKernelObjects(host);
    if (!lock) return std::unexpected(lock.error());
    if (!AllAttached(objects.pin_path_, objects.cgroup_path_)) {
      Result<void> installed = Install(host, features, objects.cgroup_path_, objects.pin_path_);
      if (!installed) return std::unexpected(installed.error());
    }
  }
  for (size_t i = 0; i < kTableCount; ++i) {
    const std::string path = objects.pin_path_ + '/' + kTableNames[i];
    objects.tables_[i].Reset(bpf_obj_get(path.c_str()));
    if (!objects.tables_[i].valid()) {
      return FailErrno(errno, "cannot open the pinned map \"" + path + '"');
    }
  }
  Result<RunTable> runs = RunTable::Map(objects.fd(Table::kRuns));
  if (!runs) return std::unexpected(runs.error());
  objects.runs_.emplace(*std::move(runs));
  objects.lsm_attached_ = std::ranges::all_of(kLsmProgramNames, [&](const char* name) {
    const std::string link = objects.pin_path_ + "/link_" + name;
    return UniqueFd(bpf_obj_get(link.c_str())).valid();
  });
  objects.unix_judge_ = PinnedUnixJudge(objects.pin_path_);
  objects.judges_files_ = HasPinnedFilePrograms(objects.pin_path_);
  objects.judges_digests_ = HasPinnedDigestPrograms(objects.pin_path_);
  return objects;
}

Result<void> RemoveGeneration(const Host& host, const std::string& name) {
  Result<UniqueFd> lock = LockKernelObjects(host);
  if (!lock) return std::unexpected(lock.error());
  // Not recursive: a run that starts at this moment keeps its cgroup, and this fails.
  const std::string cgroup = PalyraCgroup(host) + '/' + name;
  if (rmdir(cgroup.c_str()) != 0 && errno != ENOENT) {
    return FailErrno(errno, "cannot remove the cgroup \"" + cgroup + '"');
  }
  return RemovePins(PalyraPins(host) + '/' + name);
}

}  // namespace palyra::engine
