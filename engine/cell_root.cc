#include "engine/cell_root.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/unique_fd.h"
#include "engine/file_mounts.h"
#include "engine/file_tree.h"
#include "engine/placeholders.h"

namespace palyra::engine {
namespace {

constexpr unsigned long kInert = MS_NOSUID | MS_NODEV | MS_NOEXEC;

// What tells of the machine or changes it, as container engines hide it.
constexpr std::array kMaskedProcesses = {
    "proc/acpi", "proc/asound",      "proc/kcore", "proc/keys",       "proc/key-users",
    "proc/kmsg", "proc/sched_debug", "proc/scsi",  "proc/timer_list", "proc/sysrq-trigger",
};
constexpr std::array kReadOnlyProcesses = {"proc/bus", "proc/fs", "proc/irq", "proc/sys"};
constexpr std::array kMaskedSystem = {"sys/firmware", "sys/fs/bpf", "sys/kernel/debug",
                                      "sys/kernel/security", "sys/kernel/tracing"};

std::string BuildingPlace(const CellRoot& root) { return root.runtime_directory + "/root"; }

int ErrnoUnless(bool succeeded) { return succeeded ? 0 : errno; }

std::string ProcPath(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

// The root directory while it is built, below `top`. What was shown of the host may be changed by
// others meanwhile, so nothing is made but in the cell's own file systems, and no symbolic link is
// followed.
class Building {
 public:
  explicit Building(const CellRoot& root) : root_(root) {}

  // Copies what is mounted where the cell shows the host, before anything of the cell is there.
  int CopyHost() {
    for (const CellPlace& place : root_.places) {
      UniqueFd& tree = trees_.emplace_back();
      if (place.kind != CellPlace::Kind::kHost) continue;
      const UniqueFd source(OpenKnown(place.at));
      if (!source.valid()) return errno;
      const int copy = CopyMounts(source.get());
      if (copy < 0) return -copy;
      tree = UniqueFd(copy);
      uint64_t attributes = MOUNT_ATTR_NOSUID;
      if (!place.is_device) attributes |= MOUNT_ATTR_NODEV;
      if (!place.writable && !place.is_device) attributes |= MOUNT_ATTR_RDONLY;
      const int failure = SetMountAttributes(copy, "", AT_EMPTY_PATH | AT_RECURSIVE, attributes);
      if (failure != 0) return failure;
    }
    return 0;
  }

  int Begin() {
    const std::string directory = BuildingPlace(root_);
    if (mount("palyra", directory.c_str(), "tmpfs", kInert, "mode=0755,size=4m") != 0) {
      return errno;
    }
    if (chdir(directory.c_str()) != 0) return errno;
    top_ = UniqueFd(open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!top_.valid()) return errno;
    if (const int failure = Own(top_.get()); failure != 0) return failure;
    return MakeTemporary();
  }

  int MakePlaces() {
    for (size_t i = 0; i < root_.places.size(); ++i) {
      const int failure = Make(root_.places[i], trees_[i].get());
      if (failure != 0) return failure;
    }
    const UniqueFd devices(Open("dev"));
    if (!devices.valid()) return errno;
    return SetMountAttributes(devices.get(), "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY);
  }

 private:
  const CellRoot& root_;
  UniqueFd top_;
  std::vector<UniqueFd> trees_;      // Of the host, by place; of others none.
  std::vector<UniqueFd> temporary_;  // For the temporary places, in their order.
  std::vector<dev_t> own_;           // The cell's own file systems.
  size_t next_temporary_ = 0;

  int Own(int fd) {
    struct stat status;
    if (fstat(fd, &status) != 0) return errno;
    own_.push_back(status.st_dev);
    return 0;
  }

  // O_PATH, below the top; -1 with errno.
  [[nodiscard]] int Open(const std::string& relative) const {
    open_how how = {};
    how.flags = O_PATH | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    return static_cast<int>(syscall(SYS_openat2, top_.get(), relative.c_str(), &how, sizeof(how)));
  }

  [[nodiscard]] bool IsOwnDevice(dev_t device) const {
    return std::ranges::find(own_, device) != own_.end();
  }

  [[nodiscard]] bool IsOwn(int directory) const {
    struct stat status;
    return fstat(directory, &status) == 0 && IsOwnDevice(status.st_dev);
  }

  // The directory around it, made where it is missing; -1 with errno, EROFS where it would have to
  // be made in what is the host's.
  int OpenParent(const std::string& relative) {
    UniqueFd directory(dup(top_.get()));
    for (size_t end = relative.find('/'); end != std::string::npos && directory.valid();
         end = relative.find('/', end + 1)) {
      const std::string path = relative.substr(0, end);
      UniqueFd next(Open(path));
      if (!next.valid() && errno == ENOENT) {
        if (!IsOwn(directory.get())) {
          errno = EROFS;
          return -1;
        }
        const std::string name = path.substr(path.rfind('/') + 1);
        if (mkdirat(directory.get(), name.c_str(), 0755) != 0) return -1;
        next = UniqueFd(Open(path));
      }
      if (!next.valid()) return -1;
      directory = std::move(next);
    }
    return directory.Release();
  }

  // Where something is mounted or made: -1 with errno. In what is the host's it is there already.
  int OpenTarget(const CellPlace& place) {
    const std::string relative = place.at.path.substr(1);
    const UniqueFd parent(OpenParent(relative));
    if (!parent.valid()) return -1;
    UniqueFd target(Open(relative));
    if (target.valid() || errno != ENOENT) return target.Release();
    if (!IsOwn(parent.get())) {
      errno = EROFS;
      return -1;
    }
    const std::string name = relative.substr(relative.rfind('/') + 1);
    if (place.is_directory) {
      if (mkdirat(parent.get(), name.c_str(), 0755) != 0) return -1;
    } else {
      const UniqueFd made(openat(parent.get(), name.c_str(),
                                 O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0444));
      if (!made.valid()) return -1;
    }
    return Open(relative);
  }

  // One file system for all of them, so that there is one size.
  int MakeTemporary() {
    if (mkdir("tmp", 0755) != 0) return errno;
    const std::string options = "mode=0755,size=" + std::to_string(root_.temporary_bytes);
    if (mount("palyra", "tmp", "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()) != 0) return errno;
    const mode_t mask = umask(0);
    for (const char* name : {"tmp/1", "tmp/2", "tmp/3"}) {
      if (mkdir(name, 01777) != 0) return errno;
      const UniqueFd made(Open(name));
      const int copy = made.valid() ? CopyMounts(made.get()) : -errno;
      if (copy < 0) return -copy;
      temporary_.emplace_back(copy);
    }
    umask(mask);
    if (const int failure = Own(temporary_[0].get()); failure != 0) return failure;
    return ErrnoUnless(umount2("tmp", MNT_DETACH) == 0);
  }

  // The host's masks are still to be seen. What is not there needs none.
  [[nodiscard]] int Mask(const std::string& relative) const {
    const UniqueFd target(Open(relative));
    if (!target.valid()) return errno == ENOENT ? 0 : errno;
    struct stat status;
    if (fstat(target.get(), &status) != 0) return errno;
    const std::string mask = MaskIn(root_.runtime_directory, S_ISDIR(status.st_mode));
    const UniqueFd source(open(mask.c_str(), O_PATH | O_CLOEXEC | O_NOFOLLOW));
    if (!source.valid()) return errno;
    return MountCopy(source.get(), target.get(),
                     MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  }

  [[nodiscard]] int MakeReadOnly(const std::string& relative) const {
    const UniqueFd target(Open(relative));
    if (!target.valid()) return errno == ENOENT ? 0 : errno;
    return MountCopy(target.get(), target.get(), MOUNT_ATTR_RDONLY);
  }

  static int MountCopy(int source, int target, uint64_t attributes) {
    const int copy = CopyMounts(source);
    if (copy < 0) return -copy;
    const UniqueFd tree(copy);
    const int failure = SetMountAttributes(copy, "", AT_EMPTY_PATH | AT_RECURSIVE, attributes);
    return failure != 0 ? failure : PlaceMounts(copy, target);
  }

  // A file system of its own at `target`; nothing else is made in it unless it is owned.
  static int MountNew(int target, const char* type, unsigned long flags, const char* options) {
    return ErrnoUnless(mount("palyra", ProcPath(target).c_str(), type, flags, options) == 0);
  }

  int MountHost(const CellPlace& place, int tree, int target) {
    struct stat status;
    if (fstat(target, &status) != 0) return errno;
    const bool is_same = status.st_dev == place.at.device && status.st_ino == place.at.inode;
    if (!is_same && !IsOwnDevice(status.st_dev)) return ESTALE;
    return PlaceMounts(tree, target);
  }

  int MountProcesses(int target) {
    if (const int failure = MountNew(target, "proc", kInert, nullptr); failure != 0) {
      return failure;
    }
    for (const char* path : kReadOnlyProcesses) {
      if (const int failure = MakeReadOnly(path); failure != 0) return failure;
    }
    for (const char* path : kMaskedProcesses) {
      if (const int failure = Mask(path); failure != 0) return failure;
    }
    return 0;
  }

  // With the run's own cgroup, where programs look for how much of the machine is theirs.
  int MountSystem(int target) {
    int failure = MountNew(target, "sysfs", kInert | MS_RDONLY, nullptr);
    for (const char* path : kMaskedSystem) {
      if (failure == 0) failure = Mask(path);
    }
    if (failure != 0) return failure;
    const UniqueFd cgroups(Open("sys/fs/cgroup"));
    if (!cgroups.valid()) return errno;
    return MountNew(cgroups.get(), "cgroup2", kInert | MS_RDONLY, nullptr);
  }

  int MakeLink(const CellPlace& place) {
    const std::string relative = place.at.path.substr(1);
    const UniqueFd parent(OpenParent(relative));
    if (!parent.valid()) return errno;
    if (!IsOwn(parent.get())) return EROFS;
    const std::string name = relative.substr(relative.rfind('/') + 1);
    return ErrnoUnless(symlinkat(place.target.c_str(), parent.get(), name.c_str()) == 0);
  }

  int Make(const CellPlace& place, int tree) {
    using enum CellPlace::Kind;
    if (place.kind == kLink) return MakeLink(place);
    const UniqueFd target(OpenTarget(place));
    if (!target.valid()) return errno;
    switch (place.kind) {
      case kHost:
        return MountHost(place, tree, target.get());
      case kTemporary:
        return PlaceMounts(temporary_.at(next_temporary_++).get(), target.get());
      case kDevices: {
        const int failure =
            MountNew(target.get(), "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=0755,size=64k");
        const UniqueFd devices(Open("dev"));
        return failure != 0 ? failure : Own(devices.get());
      }
      case kTerminals:
        return MountNew(target.get(), "devpts", MS_NOSUID | MS_NOEXEC,
                        "newinstance,ptmxmode=0666,mode=0620");
      case kProcesses:
        return MountProcesses(target.get());
      case kSystem:
        return MountSystem(target.get());
      case kLink:
      case kEmpty:
        return 0;
    }
    std::unreachable();
  }
};

// pivot_root(2), its section on ".": old and new root lie on each other. Where the machine still
// runs from its initial file system, that cannot be moved, and the new root covers it.
int EnterRoot() {
  if (syscall(SYS_pivot_root, ".", ".") == 0) {
    return ErrnoUnless(umount2(".", MNT_DETACH) == 0 && chdir("/") == 0);
  }
  if (errno != EINVAL) return errno;
  return ErrnoUnless(mount(".", "/", nullptr, MS_MOVE, nullptr) == 0 && chroot(".") == 0 &&
                     chdir("/") == 0);
}

int GoTo(const KnownPath& start) {
  const UniqueFd fd(OpenKnown(start));
  return ErrnoUnless(fd.valid() && fchdir(fd.get()) == 0);
}

}  // namespace

Result<CellRoot> PrepareCellRoot(const CellView& view, const std::string& runtime_directory,
                                 std::optional<uint64_t> most_bytes) {
  CellRoot root;
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  // To tmpfs(5), 0 is no limit.
  root.temporary_bytes = page * static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) / 2;
  root.temporary_bytes =
      std::max(std::min(root.temporary_bytes, most_bytes.value_or(root.temporary_bytes)), page);
  root.runtime_directory = runtime_directory;
  const std::string directory = BuildingPlace(root);
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return FailErrno(errno, "cannot make the directory \"" + directory + '"');
  }
  if (Result<void> made = MakeMasks(runtime_directory); !made) {
    return std::unexpected(made.error());
  }
  const auto add = [&root](CellPlace::Kind kind, const std::string& path) {
    root.places.push_back({.kind = kind, .at = {.path = path}});
  };
  using enum CellPlace::Kind;
  add(kTemporary, "/tmp");
  add(kTemporary, "/var/tmp");
  add(kDevices, "/dev");
  add(kTemporary, "/dev/shm");
  add(kTerminals, "/dev/pts");
  add(kProcesses, "/proc");
  add(kSystem, "/sys");
  // Where masks and unix sockets of the run are.
  add(kEmpty, runtime_directory);
  for (const ShownPath& shown : view.shown) {
    Result<KnownPath> at = FindForMount(shown.path, shown.is_directory);
    if (!at) return std::unexpected(at.error());
    root.places.push_back({.kind = kHost,
                           .at = *std::move(at),
                           .is_directory = shown.is_directory,
                           .is_device = shown.is_device,
                           .writable = shown.writable});
  }
  for (const ShownLink& link : view.links) {
    root.places.push_back({.kind = kLink, .at = {.path = link.path}, .target = link.target});
  }
  Result<KnownPath> start = WorkingDirectory();
  if (!start) return std::unexpected(start.error());
  root.start = *std::move(start);
  if (!view.IsOfHost(root.start.path)) {
    root.start.inode = 0;
    if (!CellView::IsOwn(root.start.path)) add(kEmpty, root.start.path);
  }
  std::ranges::stable_sort(
      root.places, {}, [](const CellPlace& place) -> const std::string& { return place.at.path; });
  return root;
}

int EnterCellRoot(const CellRoot& root, const ToolUser& user) {
  Building building(root);
  int failure = building.CopyHost();
  if (failure == 0) failure = building.Begin();
  if (failure == 0) failure = building.MakePlaces();
  if (failure == 0) failure = EnterRoot();
  if (failure != 0) return failure;
  Result<void> made = MakeMasks(root.runtime_directory);
  if (made) made = MakePlaceholdersInside(root.placeholders, user);
  if (!made) return made.error().system_errno != 0 ? made.error().system_errno : ESTALE;
  failure = SetMountAttributes(AT_FDCWD, "/", 0, MOUNT_ATTR_RDONLY);
  return failure != 0 ? failure : GoTo(root.start);
}

}  // namespace palyra::engine
