#include "tests/probes/storm.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace palyra::probes {
namespace {

constexpr size_t kPage = 4096;

// Owners keep every right: what is denied is not denied by these.
constexpr std::array<mode_t, 3> kModes = {0755, 0700, 0711};

int ErrnoOf(long result) { return result < 0 ? errno : 0; }

bool IsDenied(int failure) {
  return failure == EACCES || failure == EPERM || failure == EROFS || failure == EXDEV ||
         failure == EBUSY;
}

// Ends by itself whatever the program does; its errno where there was none to execute.
template <typename Replace>
int InChild(Replace replace) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    replace();
    _exit(errno);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) < 0) return errno;
  return WIFEXITED(status) ? WEXITSTATUS(status) : ENOEXEC;
}

}  // namespace

Storm::Storm(std::string tree, uint64_t seed) : tree_(std::move(tree)), dice_(seed) {
  (void)!chdir((tree_ + "/open").c_str());
}

std::string_view Storm::OneOf(std::span<const std::string_view> words) {
  return words[Below(static_cast<uint32_t>(words.size()))];
}

std::string Storm::Name() {
  static constexpr std::array<std::string_view, 16> kNames = {
      "f0",     "f1",   "f2",   "d0",    "d1",     "hooks", "secret", "secretx",
      "masked", "seed", "tool", "x.env", "n\nx.y", "x",     "y",      "sub"};
  return std::string(OneOf(kNames));
}

std::string Storm::Path() {
  static constexpr std::array<std::string_view, 14> kPlaces = {
      "",         "open",      "open",          "open/d0",       "open/d1",     "open/d0",
      "open/d1",  "open/data", "open/d0/hooks", "open/d1/hooks", "open/secret", "read",
      "read/sub", "hidden"};
  static constexpr std::array<std::string_view, 6> kSpellings = {"/",  "/",   "/",
                                                                 "//", "/./", "/open/../"};
  std::string path = Below(12) == 0 ? "/proc/self/root" + tree_ : tree_;
  switch (Below(8)) {
    case 0:
      return Name();  // Below the current directory, wherever that is by now.
    case 1:
      return Name() + '/' + Name();
    case 2:
      path.append(OneOf(kSpellings)).append(OneOf(kPlaces));
      return path;
    case 3:
      path.append(OneOf(kSpellings)).append(OneOf(kPlaces));
      return path + '/' + Name() + '/' + Name();
    case 4:
      if (const int fd = Descriptor(); fd >= 0) {
        return "/proc/self/fd/" + std::to_string(fd) + (Below(2) == 0 ? "" : '/' + Name());
      }
      [[fallthrough]];
    default:
      path.append(OneOf(kSpellings)).append(OneOf(kPlaces));
      return path + '/' + Name();
  }
}

std::string Storm::Beside(const std::string& path) {
  const size_t end = path.rfind('/');
  return Below(2) == 0 || end == std::string::npos ? Path() : path.substr(0, end + 1) + Name();
}

std::string Storm::Program() {
  static constexpr std::array<std::string_view, 5> kPrograms = {
      "/bin/tool", "/open/data/tool", "/read/tool", "/hidden/tool", "/open/tool"};
  return Below(3) == 0 ? Path() : tree_ + std::string(OneOf(kPrograms));
}

int Storm::Flags() {
  static constexpr std::array<int, 4> kAccess = {O_RDONLY, O_WRONLY, O_RDWR, O_ACCMODE};
  int flags = kAccess[Below(kAccess.size())] | O_CLOEXEC | O_NONBLOCK;
  if (Below(3) == 0) flags |= O_CREAT;
  if (Below(8) == 0) flags |= O_EXCL;
  if (Below(6) == 0) flags |= O_TRUNC;
  if (Below(6) == 0) flags |= O_APPEND;
  if (Below(8) == 0) flags |= O_NOFOLLOW;
  if (Below(10) == 0) flags = O_TMPFILE | O_RDWR | O_CLOEXEC;
  if (Below(8) == 0) flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  return flags;
}

int Storm::Descriptor() {
  const UniqueFd& fd = open_[Below(static_cast<uint32_t>(open_.size()))];
  return fd.valid() ? fd.get() : -1;
}

int Storm::Keep(int fd) {
  if (fd < 0) return errno;
  Look(fd);
  open_[Below(static_cast<uint32_t>(open_.size()))].Reset(fd);
  return 0;
}

void Storm::Look(int fd) {
  std::array<char, kPage> bytes;
  const ssize_t count = pread(fd, bytes.data(), bytes.size(), 0);
  if (count <= 0) return;
  const std::string_view text(bytes.data(), static_cast<size_t>(count));
  if (text.contains(kCanary)) findings_.insert("leaked " + call_);
}

// ---- Opening ----

int Storm::Open() { return Keep(open(Path().c_str(), Flags(), 0755)); }

int Storm::OpenAt2() {
  open_how how = {};
  how.flags = static_cast<uint64_t>(Flags());
  if ((how.flags & O_CREAT) != 0 || (how.flags & O_TMPFILE) == O_TMPFILE) how.mode = 0755;
  if (Below(4) == 0) how.resolve = RESOLVE_NO_SYMLINKS;
  const std::string path = Path();
  return Keep(static_cast<int>(syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof(how))));
}

int Storm::OpenPath() {
  return Keep(open(Path().c_str(), O_PATH | O_CLOEXEC | (Below(2) == 0 ? O_NOFOLLOW : 0)));
}

int Storm::OpenBelow() {
  const int fd = Descriptor();
  if (fd < 0) return kNothing;
  return Keep(openat(fd, Name().c_str(), Flags(), 0755));
}

int Storm::Reopen() {
  const int fd = Descriptor();
  if (fd < 0) return kNothing;
  return Keep(open(("/proc/self/fd/" + std::to_string(fd)).c_str(), Flags(), 0755));
}

// ---- Changing what is in a file ----

int Storm::Write() {
  const int fd = Descriptor();
  return fd < 0 ? kNothing : ErrnoOf(pwrite(fd, "written", 7, Below(64)));
}

// Whatever may be read could be copied to where it may be executed.
int Storm::CopyRange() {
  const int from = Descriptor();
  const int to = Descriptor();
  if (from < 0 || to < 0) return kNothing;
  off_t start = 0;
  off_t place = 0;
  return ErrnoOf(copy_file_range(from, &start, to, &place, kPage, 0));
}

int Storm::Truncate() { return ErrnoOf(truncate(Path().c_str(), Below(100))); }

int Storm::TruncateOpen() {
  const int fd = Descriptor();
  return fd < 0 ? kNothing : ErrnoOf(ftruncate(fd, Below(100)));
}

// By way of a pipe, so that a page that somebody took away meanwhile is an error and no signal.
int Storm::MapShared() {
  const int fd = Descriptor();
  std::array<int, 2> ends = {-1, -1};
  if (fd < 0 || pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return kNothing;
  const UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  void* memory = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return errno;
  int failure = ErrnoOf(write(write_end.get(), memory, kPage));
  if (failure == 0) {
    Look(fd);
    failure = ErrnoOf(read(read_end.get(), memory, kPage));
  }
  munmap(memory, kPage);
  return failure;
}

// ---- Names ----

int Storm::MakeDirectory() { return ErrnoOf(mkdir(Path().c_str(), 0755)); }
int Storm::RemoveDirectory() { return ErrnoOf(rmdir(Path().c_str())); }

int Storm::MakeNode() {
  return ErrnoOf(mknod(Path().c_str(), (Below(2) == 0 ? S_IFIFO : S_IFREG) | 0755, 0));
}

int Storm::MakeSymlink() { return ErrnoOf(symlink(Path().c_str(), Path().c_str())); }

int Storm::MakeLink() {
  const std::string from = Path();
  const int flags = Below(2) == 0 ? AT_SYMLINK_FOLLOW : 0;
  return ErrnoOf(linkat(AT_FDCWD, from.c_str(), AT_FDCWD, Beside(from).c_str(), flags));
}

int Storm::LinkOpen() {
  const int fd = Descriptor();
  if (fd < 0) return kNothing;
  if (Below(4) == 0) return ErrnoOf(linkat(fd, "", AT_FDCWD, Path().c_str(), AT_EMPTY_PATH));
  return ErrnoOf(linkat(AT_FDCWD, ("/proc/self/fd/" + std::to_string(fd)).c_str(), AT_FDCWD,
                        Path().c_str(), AT_SYMLINK_FOLLOW));
}

int Storm::Unlink() { return ErrnoOf(unlink(Path().c_str())); }

int Storm::Move(unsigned flags) {
  const std::string from = Path();
  return ErrnoOf(
      syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, Beside(from).c_str(), flags));
}

int Storm::Rename() { return Move(0); }
int Storm::Exchange() { return Move(RENAME_EXCHANGE); }
int Storm::RenameNoReplace() { return Move(RENAME_NOREPLACE); }
int Storm::ChangeDirectory() { return ErrnoOf(chdir(Path().c_str())); }

// ---- Attributes ----

int Storm::ChangeMode() { return ErrnoOf(chmod(Path().c_str(), kModes[Below(kModes.size())])); }

int Storm::ChangeModeOpen() {
  const int fd = Descriptor();
  return fd < 0 ? kNothing : ErrnoOf(fchmod(fd, kModes[Below(kModes.size())]));
}

int Storm::ChangeOwner() { return ErrnoOf(lchown(Path().c_str(), geteuid(), getegid())); }

int Storm::ChangeTimes() {
  return ErrnoOf(
      utimensat(AT_FDCWD, Path().c_str(), nullptr, Below(2) == 0 ? AT_SYMLINK_NOFOLLOW : 0));
}

int Storm::ChangeTimesOpen() {
  const int fd = Descriptor();
  return fd < 0 ? kNothing : ErrnoOf(futimens(fd, nullptr));
}

int Storm::ChangeAttribute() {
  const std::string path = Path();
  return ErrnoOf(Below(3) == 0 ? removexattr(path.c_str(), "user.palyra")
                               : setxattr(path.c_str(), "user.palyra", "x", 1, 0));
}

int Storm::ChangeAttributeOpen() {
  const int fd = Descriptor();
  return fd < 0 ? kNothing : ErrnoOf(fsetxattr(fd, "user.palyra", "y", 1, 0));
}

// ---- Programs ----

int Storm::MapProgram() {
  const UniqueFd opened(Below(2) == 0 ? open(Program().c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)
                                      : -1);
  const int fd = opened.valid() ? opened.get() : Descriptor();
  if (fd < 0) return kNothing;
  const bool at_once = Below(2) == 0;
  void* memory =
      mmap(nullptr, kPage, at_once ? PROT_READ | PROT_EXEC : PROT_READ, MAP_PRIVATE, fd, 0);
  if (memory == MAP_FAILED) return errno;
  const int failure = at_once ? 0 : ErrnoOf(mprotect(memory, kPage, PROT_READ | PROT_EXEC));
  munmap(memory, kPage);
  std::array<char, kPage> path;
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = readlink(link.c_str(), path.data(), path.size());
  if (failure == 0 && length > 0) {
    findings_.insert("mapped " + std::string(path.data(), static_cast<size_t>(length)));
  }
  return failure;
}

// What is executed says so itself, on standard output.
int Storm::Execute() {
  const std::string path = Program();
  return InChild([&path] {
    char name[] = "tool";
    char verb[] = "storm-mark";
    char* const arguments[] = {name, verb, nullptr};
    char* const environment[] = {nullptr};
    execve(path.c_str(), arguments, environment);
  });
}

int Storm::ExecuteOpen() {
  const UniqueFd opened(open(Program().c_str(), O_PATH | O_CLOEXEC));
  if (!opened.valid()) return errno;
  return InChild([&opened] {
    char name[] = "tool";
    char verb[] = "storm-mark";
    char* const arguments[] = {name, verb, nullptr};
    char* const environment[] = {nullptr};
    syscall(SYS_execveat, opened.get(), "", arguments, environment, AT_EMPTY_PATH);
  });
}

std::span<const Storm::Kind> Storm::Kinds() {
  static constexpr std::array kKinds = {
      Kind{"open", 14, &Storm::Open},
      Kind{"openat2", 5, &Storm::OpenAt2},
      Kind{"open-path", 5, &Storm::OpenPath},
      Kind{"open-below", 5, &Storm::OpenBelow},
      Kind{"reopen", 7, &Storm::Reopen},
      Kind{"write", 5, &Storm::Write},
      Kind{"copy-range", 3, &Storm::CopyRange},
      Kind{"truncate", 5, &Storm::Truncate},
      Kind{"ftruncate", 4, &Storm::TruncateOpen},
      Kind{"mkdir", 8, &Storm::MakeDirectory},
      Kind{"rmdir", 4, &Storm::RemoveDirectory},
      Kind{"mknod", 6, &Storm::MakeNode},
      Kind{"symlink", 5, &Storm::MakeSymlink},
      Kind{"link", 6, &Storm::MakeLink},
      Kind{"link-open", 5, &Storm::LinkOpen},
      Kind{"unlink", 5, &Storm::Unlink},
      Kind{"rename", 8, &Storm::Rename},
      Kind{"exchange", 8, &Storm::Exchange},
      Kind{"rename-no-replace", 5, &Storm::RenameNoReplace},
      Kind{"chmod", 4, &Storm::ChangeMode},
      Kind{"fchmod", 4, &Storm::ChangeModeOpen},
      Kind{"chown", 4, &Storm::ChangeOwner},
      Kind{"utimes", 4, &Storm::ChangeTimes},
      Kind{"futimens", 4, &Storm::ChangeTimesOpen},
      Kind{"setxattr", 4, &Storm::ChangeAttribute},
      Kind{"fsetxattr", 4, &Storm::ChangeAttributeOpen},
      Kind{"chdir", 3, &Storm::ChangeDirectory},
      Kind{"map-shared", 3, &Storm::MapShared},
      Kind{"map-program", 4, &Storm::MapProgram},
      Kind{"exec", 2, &Storm::Execute},
      Kind{"exec-open", 1, &Storm::ExecuteOpen},
  };
  return kKinds;
}

void Storm::Step() {
  static const uint32_t kTogether = [] {
    uint32_t sum = 0;
    for (const Kind& kind : Kinds()) sum += kind.weight;
    return sum;
  }();
  uint32_t drawn = Below(kTogether);
  for (const Kind& kind : Kinds()) {
    if (drawn >= kind.weight) {
      drawn -= kind.weight;
      continue;
    }
    call_ = kind.name;
    const int failure = (this->*kind.call)();
    if (failure == kNothing) return;
    Count& count = counts_[kind.name];
    ++(failure == 0 ? count.succeeded : IsDenied(failure) ? count.denied : count.failed);
    return;
  }
}

}  // namespace palyra::probes
