#include "engine/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <functional>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/file.h"

namespace palyra::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// On a 64-bit kernel the inode number of a cgroup directory is the cgroup's id.
static_assert(sizeof(ino_t) == sizeof(uint64_t));

constexpr milliseconds kRescanInterval{5};

// Kernels before 6.14 miss a child whose fork is under way when cgroup.kill is written.
constexpr milliseconds kRekillInterval{50};

Result<void> WriteControl(int directory_fd, const char* file, std::string_view text) {
  const UniqueFd fd(openat(directory_fd, file, O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return FailErrno(errno, std::string("cannot open \"") + file + '"');
  return base::WriteAll(fd.get(), text, file);
}

Result<std::string> ReadControl(int directory_fd, const char* file) {
  const UniqueFd fd(openat(directory_fd, file, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return FailErrno(errno, std::string("cannot open \"") + file + '"');
  return base::ReadAll(fd.get(), size_t{16} << 20, file);
}

bool IsPopulated(std::string_view events) {
  return events.find("populated 1") != std::string_view::npos;
}

// Calls `visit` for every cgroup below `path`, children first, then for `path` itself.
void VisitChildrenFirst(const std::string& path,
                        const std::function<void(const std::string&)>& visit) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path.c_str()), closedir);
  if (directory == nullptr) return;
  while (const dirent* entry = readdir(directory.get())) {
    if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
    VisitChildrenFirst(path + '/' + entry->d_name, visit);
  }
  visit(path);
}

// A pid may have been reused since it was read: signal only what is still a member.
void KillMember(const std::string& path, pid_t pid) {
  const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd.valid()) return;
  const std::vector<pid_t> members = MembersOf(path);
  if (std::ranges::find(members, pid) == members.end()) return;
  syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
}

void KillTreeOnce(const std::string& path) {
  VisitChildrenFirst(path, [](const std::string& cgroup) {
    for (const pid_t pid : MembersOf(cgroup)) KillMember(cgroup, pid);
  });
}

// The kernel tells of changes to cgroup.events at most once in this time (cgroup_file_notify in
// kernel/cgroup/cgroup.c: a hundredth of a second), and a run that ends soon after it began has had
// its turn. So until then it is asked again and again.
constexpr milliseconds kNotifyInterval{12};
constexpr std::chrono::microseconds kAskInterval{50};

// Waits until `deadline` at the latest, and until `interval` has passed where one is given.
// True when nothing is left.
Result<bool> WaitEmpty(const Cgroup& cgroup, steady_clock::time_point deadline,
                       milliseconds interval) {
  const UniqueFd events(openat(cgroup.fd(), "cgroup.events", O_RDONLY | O_CLOEXEC));
  if (!events.valid()) return FailErrno(errno, "cannot open \"cgroup.events\"");
  const auto begin = steady_clock::now();
  const auto until = std::min(deadline, begin + interval);
  while (true) {
    std::array<char, 128> buffer;
    const ssize_t size = pread(events.get(), buffer.data(), buffer.size(), 0);
    if (size < 0) return FailErrno(errno, "cannot read \"cgroup.events\"");
    if (!IsPopulated(std::string_view(buffer.data(), static_cast<size_t>(size)))) return true;
    const auto now = steady_clock::now();
    if (now >= until) return false;
    if (now < begin + kNotifyInterval) {
      std::this_thread::sleep_for(kAskInterval);
      continue;
    }
    pollfd poll_events{.fd = events.get(), .events = POLLPRI, .revents = 0};
    poll(&poll_events, 1, static_cast<int>(std::chrono::ceil<milliseconds>(until - now).count()));
  }
}

Result<void> StillAlive() {
  return Fail(ErrorCode::kUnavailable,
              "processes of the run are still there after SIGKILL; they end when the kernel lets "
              "them, and the next start sweeps what is left");
}

Result<void> TreeKill(const Cgroup& cgroup, steady_clock::time_point deadline) {
  // A frozen tree cannot fork while it is killed; SIGKILL reaches frozen processes.
  const bool frozen = WriteControl(cgroup.fd(), "cgroup.freeze", "1").has_value();
  bool empty = false;
  while (!empty && steady_clock::now() < deadline) {
    KillTreeOnce(cgroup.path());
    Result<bool> waited = WaitEmpty(cgroup, deadline, kRescanInterval);
    if (!waited) return std::unexpected(waited.error());
    empty = *waited;
  }
  if (frozen) (void)WriteControl(cgroup.fd(), "cgroup.freeze", "0");
  if (!empty) return StillAlive();
  return {};
}

}  // namespace

Cgroup::Cgroup(std::string path, UniqueFd fd, uint64_t id)
    : path_(std::move(path)), fd_(std::move(fd)), id_(id) {}

Result<Cgroup> Cgroup::Create(const std::string& path) {
  if (mkdir(path.c_str(), 0755) != 0) {
    if (errno == EEXIST) return Fail(ErrorCode::kUnavailable, "cgroup \"" + path + "\" exists");
    return FailErrno(errno, "cannot make the cgroup \"" + path + '"');
  }
  return Open(path);
}

Result<Cgroup> Cgroup::Open(const std::string& path) {
  Result<UniqueFd> fd = base::OpenFile(path, O_RDONLY | O_DIRECTORY);
  if (!fd) return std::unexpected(fd.error());
  struct stat status;
  if (fstat(fd->get(), &status) != 0) return FailErrno(errno, "cannot stat \"" + path + '"');
  return Cgroup(path, *std::move(fd), status.st_ino);
}

bool HasCgroupKill(const std::string& cgroup_directory) {
  return access((cgroup_directory + "/cgroup.kill").c_str(), W_OK) == 0;
}

KillMethod KillMethodOf(const std::string& cgroup_directory) {
  return HasCgroupKill(cgroup_directory) ? KillMethod::kCgroupKill : KillMethod::kTreeKill;
}

Result<void> KillCgroup(const Cgroup& cgroup, KillMethod method, milliseconds limit) {
  const auto deadline = steady_clock::now() + limit;
  Result<std::string> events = ReadControl(cgroup.fd(), "cgroup.events");
  if (events && !IsPopulated(*events)) return {};
  if (method == KillMethod::kTreeKill) return TreeKill(cgroup, deadline);
  do {
    if (Result<void> killed = WriteControl(cgroup.fd(), "cgroup.kill", "1"); !killed) return killed;
    Result<bool> empty = WaitEmpty(cgroup, deadline, kRekillInterval);
    if (!empty) return std::unexpected(empty.error());
    if (*empty) return {};
  } while (steady_clock::now() < deadline);
  return StillAlive();
}

std::vector<pid_t> MembersOf(const std::string& path) {
  std::vector<pid_t> members;
  Result<std::string> text = base::ReadFile(path + "/cgroup.procs");
  if (!text) return members;
  const char* position = text->data();
  const char* const end = text->data() + text->size();
  while (position < end) {
    pid_t pid = 0;
    const auto [next, error] = std::from_chars(position, end, pid);
    if (error != std::errc()) break;
    members.push_back(pid);
    position = next + 1;
  }
  return members;
}

Result<void> RemoveCgroup(const std::string& path) {
  int failure = 0;
  VisitChildrenFirst(path, [&failure](const std::string& cgroup) {
    if (rmdir(cgroup.c_str()) != 0 && errno != ENOENT) failure = errno;
  });
  if (failure != 0) return FailErrno(failure, "cannot remove the cgroup \"" + path + '"');
  return {};
}

}  // namespace palyra::engine
