#include "engine/spawn.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <poll.h>
#include <sched.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "engine/cell_init.h"
#include "engine/executable.h"
#include "engine/hold_channel.h"
#include "engine/landlock.h"
#include "engine/mounts.h"

namespace palyra::engine {
namespace {

constexpr int kFailureFd = 3;  // In the child, closed by exec.

constexpr unsigned kLockedSecureBits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
                                       SECBIT_NO_CAP_AMBIENT_RAISE |
                                       SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED | SECBIT_KEEP_CAPS_LOCKED;

// Everything that the child touches, in plain arrays: it allocates nothing.
struct ChildPlan {
  const SpawnRequest* request;
  std::vector<std::string> candidates;  // Paths to try, in PATH's order.
  std::vector<char*> argv;
  std::vector<char*> environment;
  std::vector<int> mount_trees;  // Room for one of each of the request's file mounts.
  sock_fprog seccomp;
  sock_fprog hold;
  std::vector<int> socket_trees;  // Likewise of its unix places.
  cap_value_t capability_count;
  int failure_fd;     // Where a step that failed is written to.
  int supervisor_fd;  // The end that the supervisor reads.
  int status_fd;      // Of a cell: Child::status. Else -1.
  size_t next_step;
};

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string& string : strings) pointers.push_back(const_cast<char*>(string.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// ---- In the child: system calls only. Each step returns 0 or errno. ----

int ErrnoUnless(bool succeeded) { return succeeded ? 0 : errno; }

int JoinNewSessionKeyring() {
  if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) >= 0) return 0;
  return errno == ENOSYS ? 0 : errno;  // No keys in this kernel: none to inherit.
}

int MakePrivateMounts() {
  if (unshare(CLONE_NEWNS) != 0) return errno;
  // Not even as a slave: a cgroup file system that is mounted later would arrive writable.
  return ErrnoUnless(mount("", "/", "", MS_PRIVATE | MS_REC, nullptr) == 0);
}

// Directories become mounts of their own, which can then be made read-only.
int BindOnThemselves(const std::vector<std::string>& directories) {
  for (const std::string& path : directories) {
    if (mount(path.c_str(), path.c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0) continue;
    if (errno != ENOENT) return errno;
  }
  return 0;
}

// It may not be there, or not in a cell.
int Hide(const SpawnRequest& request) {
  const char* const directory = request.hidden_directory.c_str();
  if (request.hidden_directory.empty()) return 0;
  if (access(directory, F_OK) != 0) return errno == ENOENT || errno == ENOTDIR ? 0 : errno;
  return ErrnoUnless(mount(request.mask.c_str(), directory, nullptr, MS_BIND, nullptr) == 0);
}

int ProtectControlMounts(const std::vector<std::string>& mounts) {
  mount_attr attributes = {};
  attributes.attr_set = MOUNT_ATTR_RDONLY;
  for (const std::string& path : mounts) {
    if (mount_setattr(AT_FDCWD, path.c_str(), AT_RECURSIVE, &attributes, sizeof(attributes)) == 0) {
      continue;
    }
    // Covered by another mount: the path leads elsewhere, for the tool too.
    if (errno != EINVAL && errno != ENOENT) return errno;
  }
  return 0;
}

// The socket that was found there, or -1: what is another one by now is not mounted, and asking
// for it fails as for one that nobody listens at.
int OpenSocket(const UnixPlace& place, const ToolUser& user) {
  open_how how = {};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS;
  AskFilesAs(user.uid, user.gid);
  const long fd = syscall(SYS_openat2, AT_FDCWD, place.real.c_str(), &how, sizeof(how));
  AskFilesAs(0, 0);
  if (fd < 0) return -1;
  struct stat status;
  const bool is_same = fstat(static_cast<int>(fd), &status) == 0 && status.st_dev == place.device &&
                       status.st_ino == place.inode && status.st_nlink == 1 &&
                       S_ISSOCK(status.st_mode);
  if (is_same) return static_cast<int>(fd);
  close(static_cast<int>(fd));
  return -1;
}

// Copies of the mounts of the sockets that are there, -1 for the others.
int CopySockets(const SpawnRequest& request, std::vector<int>& trees) {
  const ToolUser& user = request.user;
  if (trees.empty()) return 0;
  if (syscall(SYS_setgroups, user.groups.size(), user.groups.data()) != 0) return errno;
  for (size_t i = 0; i < trees.size(); ++i) {
    const int socket = OpenSocket(request.unix_places[i], user);
    trees[i] = -1;
    if (socket < 0) continue;
    trees[i] = CopyMounts(socket);
    if (trees[i] < 0) return -trees[i];
    close(socket);
  }
  return 0;
}

int MountSocket(const UnixPlace& place, int tree) {
  const int target = open(place.place.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0400);
  if (target < 0) return errno;
  const int failure = tree < 0 ? 0 : PlaceMounts(tree, target);
  close(target);
  close(tree);
  return failure;
}

int MountUnixPlaces(const SpawnRequest& request, const std::vector<int>& trees) {
  const char* directory = request.private_directory.c_str();
  if (mount("palyra", directory, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755,size=1m") !=
      0) {
    return errno;
  }
  for (size_t i = 0; i < trees.size(); ++i) {
    const int failure = MountSocket(request.unix_places[i], trees[i]);
    if (failure != 0) return failure;
  }
  return SetMountAttributes(AT_FDCWD, directory, 0, MOUNT_ATTR_RDONLY);
}

int DropBoundingSet(cap_value_t count) {
  for (cap_value_t capability = 0; capability < count; ++capability) {
    if (cap_drop_bound(capability) != 0) return errno;
  }
  return 0;
}

// The raw calls: glibc's wrappers would look for other threads.
int BecomeUser(const ToolUser& user) {
  if (syscall(SYS_setgroups, user.groups.size(), user.groups.data()) != 0) return errno;
  if (syscall(SYS_setresgid, user.gid, user.gid, user.gid) != 0) return errno;
  if (syscall(SYS_setresuid, user.uid, user.uid, user.uid) != 0) return errno;
  // Memory is the supervisor's until exec: other processes of this user must not get at it,
  // whatever fs.suid_dumpable says.
  return ErrnoUnless(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
}

int ClearCapabilities() {
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return errno;
  __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  const std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none = {};
  return ErrnoUnless(syscall(SYS_capset, &header, none.data()) == 0);
}

// The supervisor may have died before; then nobody reads what this process could say.
int DieWithSupervisor(const ChildPlan& plan) {
  close(plan.supervisor_fd);
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return errno;
  pollfd reader = {.fd = plan.failure_fd, .events = 0, .revents = 0};
  if (poll(&reader, 1, 0) < 0) return errno;
  // The one of a pipe, the other of a socket.
  return (reader.revents & (POLLERR | POLLHUP)) != 0 ? ESRCH : 0;
}

int EnterLandlock(const SpawnRequest& request) {
  if (request.landlock_fd < 0) return 0;
  if (request.cell) {
    const int abi = LandlockAbi();
    // What the ruleset says of the host's root directory says nothing of this one.
    int failure = request.file_mounts ? 0 : LetFilesMoveHere(request.landlock_fd, abi);
    if (failure == 0) failure = AddGrants(request.landlock_fd, abi, request.cell->grants);
    if (failure != 0) return failure;
  }
  return EnterLandlockDomain(request.landlock_fd);
}

int CloseDescriptors(int& failure_fd) {
  if (failure_fd != kFailureFd) {
    if (dup3(failure_fd, kFailureFd, O_CLOEXEC) < 0) return errno;
    failure_fd = kFailureFd;
  }
  return ErrnoUnless(syscall(SYS_close_range, kFailureFd + 1, ~0U, 0) == 0);
}

int InstallSeccomp(const sock_fprog& program) {
  return ErrnoUnless(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0);
}

// Before anything is executed nobody but the supervisor can have the listener.
int HoldCalls(const sock_fprog& program, int failure_fd) {
  const long listener =
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
              SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &program);
  if (listener < 0) return errno;
  const int failure = SendListener(failure_fd, static_cast<int>(listener));
  close(static_cast<int>(listener));
  return failure;
}

// Why nothing at these paths can be executed; ESTALE where something can by now, that nobody has
// looked at.
int WhyNot(const std::vector<std::string>& candidates) {
  int failure = ENOENT;
  for (const std::string& candidate : candidates) {
    struct stat status;
    const bool is_executable = access(candidate.c_str(), X_OK) == 0;
    if (!is_executable && errno != EACCES && errno != ENOENT && errno != ENOTDIR) return errno;
    if (!is_executable && errno == EACCES) failure = EACCES;
    if (!is_executable) continue;
    if (stat(candidate.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return ESTALE;
    failure = EACCES;
  }
  return failure;
}

// What it was found to be, where that is known: a path that leads through /proc or a link may lead
// elsewhere from here.
int ExecuteKnown(const ChildPlan& plan) {
  const KnownPath& known = *plan.request->executable;
  if (known.inode == 0) return WhyNot(plan.candidates);
  struct stat status;
  if (stat(known.path.c_str(), &status) != 0) return errno;
  if (status.st_dev != known.device || status.st_ino != known.inode) return ESTALE;
  execve(known.path.c_str(), plan.argv.data(), plan.environment.data());
  return errno;
}

// As execvp: a directory that lacks the command or denies it does not end the search.
int Execute(const ChildPlan& plan) {
  if (plan.request->executable) return ExecuteKnown(plan);
  int failure = ENOENT;
  for (const std::string& candidate : plan.candidates) {
    execve(candidate.c_str(), plan.argv.data(), plan.environment.data());
    if (errno == EACCES) failure = EACCES;
    if (errno != EACCES && errno != ENOENT && errno != ENOTDIR) return errno;
  }
  return failure;
}

// ---- Both: the parent of a run clones its first process, and PID 1 of a cell the command. ----

[[noreturn]] void RunChild(ChildPlan& plan);

// clone3 as vfork does it: the child borrows memory and stack until it execs or exits, and the
// parent waits; copying page tables would cost as much as the rest of the start. The call must not
// go through libc's wrapper, whose return address the child would overwrite: it returns twice into
// this frame, and the child leaves it never. Under AddressSanitizer it copies: the marks that the
// child leaves on a borrowed stack would be taken for the parent's errors. Returns the pid, or a
// negative errno.
[[gnu::noinline]] pid_t CloneAndRun(clone_args& arguments, ChildPlan& plan) {
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
  long result = SYS_clone3;  // NOLINT(misc-const-correctness): the assembly writes it.
  asm volatile("syscall"
               : "+a"(result)
               : "D"(&arguments), "S"(sizeof(arguments))
               : "rcx", "r11", "memory");
#else
  arguments.flags &= ~static_cast<__u64>(CLONE_VM | CLONE_VFORK);
  long result = syscall(SYS_clone3, &arguments, sizeof(arguments));
  if (result < 0) result = -errno;
#endif
  if (result == 0) RunChild(plan);
  return static_cast<pid_t>(result);
}

// Returns in the parent where the command's process could not be cloned.
int BecomeInit(ChildPlan& plan) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  clone_args arguments = {};
  arguments.flags = CLONE_VM | CLONE_VFORK;
  arguments.exit_signal = SIGCHLD;
  const pid_t command = CloneAndRun(arguments, plan);
  if (command < 0) return -command;
  // Nothing of the run is held up by this process: not its pipes, not its files.
  for (int fd = 0; fd < plan.status_fd; ++fd) close(fd);
  syscall(SYS_close_range, plan.status_fd + 1, ~0U, 0);
  BeInit(command, plan.status_fd);
}

int Take(SpawnStep step, ChildPlan& plan) {
  const SpawnRequest& request = *plan.request;
  switch (step) {
    case SpawnStep::kLimitCgroups:
      return JoinCgroups1(request.limits);
    case SpawnStep::kSessionKeyring:
      return JoinNewSessionKeyring();
    case SpawnStep::kNamespaces:
      return ErrnoUnless(unshare(static_cast<int>(NamespacesOf(request.tier))) == 0);
    case SpawnStep::kMountNamespace:
      return MakePrivateMounts();
    case SpawnStep::kUnixSockets:
      return CopySockets(request, plan.socket_trees);
    case SpawnStep::kCellRoot:
      return request.cell ? EnterCellRoot(*request.cell, request.user) : EINVAL;
    case SpawnStep::kFileMounts:
      return request.file_mounts ? ApplyFileMounts(*request.file_mounts, plan.mount_trees) : 0;
    case SpawnStep::kProtectControlMounts:
      if (const int failure = Hide(request); failure != 0) return failure;
      if (const int failure = BindOnThemselves(request.control_directories); failure != 0) {
        return failure;
      }
      if (const int failure = ProtectControlMounts(request.control_directories); failure != 0) {
        return failure;
      }
      return ProtectControlMounts(request.control_mounts);
    case SpawnStep::kUnixPlaces:
      return request.private_directory.empty() ? 0 : MountUnixPlaces(request, plan.socket_trees);
    case SpawnStep::kBoundingSet:
      return DropBoundingSet(plan.capability_count);
    case SpawnStep::kSecureBits:
      return ErrnoUnless(prctl(PR_SET_SECUREBITS, kLockedSecureBits, 0, 0, 0) == 0);
    case SpawnStep::kUser:
      return BecomeUser(request.user);
    case SpawnStep::kCapabilities:
      return ClearCapabilities();
    case SpawnStep::kParentDeath:
      return DieWithSupervisor(plan);
    case SpawnStep::kNoNewPrivileges:
      return ErrnoUnless(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    case SpawnStep::kLandlock:
      return EnterLandlock(request);
    case SpawnStep::kInit:
      return BecomeInit(plan);
    case SpawnStep::kOutput:
      return ReplaceOutput(request.limits);
    case SpawnStep::kDescriptors:
      return CloseDescriptors(plan.failure_fd);
    case SpawnStep::kProcessLimits:
      return SetProcessLimits(request.limits);
    case SpawnStep::kSeccomp:
      sigprocmask(SIG_SETMASK, &request.signal_mask, nullptr);
      return InstallSeccomp(plan.seccomp);
    case SpawnStep::kHold:
      return plan.hold.len == 0 ? 0 : HoldCalls(plan.hold, plan.failure_fd);
    case SpawnStep::kExec:
      return Execute(plan);
  }
  return EINVAL;
}

void Report(const ChildPlan& plan, SpawnStep step, int failure) {
  const SpawnFailure report = {.step = step, .system_errno = failure};
  (void)!write(plan.failure_fd, &report, sizeof(report));
}

[[noreturn]] void RunChild(ChildPlan& plan) {
  const std::span<const SpawnStep> steps = StepsOf(plan.request->tier);
  while (plan.next_step < steps.size()) {
    const SpawnStep step = steps[plan.next_step++];
    if (const int failure = Take(step, plan); failure != 0) {
      Report(plan, step, failure);
      break;
    }
  }
  _exit(125);
}

// ---- In the parent. ----

// In a cell the first process lives on, in memory of its own. Where the command itself waits for
// the supervisor, that one must not wait for it.
pid_t CloneInto(int cgroup_fd, int& pidfd, ChildPlan& plan) {
  clone_args arguments = {};
  arguments.flags = CLONE_INTO_CGROUP | CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<uintptr_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  arguments.cgroup = static_cast<__u64>(cgroup_fd);
  if (!IsCell(plan.request->tier)) {
    const bool shares_memory = !plan.request->holds_programs && !plan.request->limits.holds_memory;
    if (shares_memory) arguments.flags |= CLONE_VM | CLONE_VFORK;
    return CloneAndRun(arguments, plan);
  }
  arguments.flags |= CLONE_NEWPID;
  const long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
  if (pid < 0) return -errno;
  if (pid > 0) return static_cast<pid_t>(pid);
  if (const int failure = ForgetArguments(); failure != 0) {
    Report(plan, SpawnStep::kInit, failure);
    _exit(125);
  }
  RunChild(plan);
}

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

// A pipe carries no descriptors.
enum class Carries { kBytes, kDescriptors };

Result<Pipe> MakePipe(Carries carries = Carries::kBytes) {
  std::array<int, 2> fds;
  const int made = carries == Carries::kBytes
                       ? pipe2(fds.data(), O_CLOEXEC)
                       : socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data());
  if (made != 0) return FailErrno(errno, "cannot make a pipe");
  return Pipe{.read_end = UniqueFd(fds[0]), .write_end = UniqueFd(fds[1])};
}

}  // namespace

// End of file means that exec has closed it.
Result<std::optional<SpawnFailure>> FailureOf(const UniqueFd& starting) {
  SpawnFailure failure;
  while (true) {
    const ssize_t size = read(starting.get(), &failure, sizeof(failure));
    if (size == 0) return std::nullopt;
    if (size == sizeof(failure)) return failure;
    if (size < 0 && errno == EINTR) continue;
    return FailErrno(size < 0 ? errno : EIO, "cannot read from the starting child");
  }
}

Result<SpawnResult> Spawn(const SpawnRequest& request) {
  Result<Pipe> failures = MakePipe(request.hold.empty() ? Carries::kBytes : Carries::kDescriptors);
  if (!failures) return std::unexpected(failures.error());
  Result<Pipe> status = IsCell(request.tier) ? MakePipe() : Pipe();
  if (!status) return std::unexpected(status.error());

  ChildPlan plan = {
      .request = &request,
      .candidates = CandidatesFor(request.argv[0], request.environment),
      .argv = Pointers(request.argv),
      .environment = Pointers(request.environment),
      .mount_trees = std::vector<int>(request.file_mounts ? request.file_mounts->steps.size() : 0),
      .seccomp = {.len = static_cast<unsigned short>(request.seccomp.size()),
                  .filter = const_cast<sock_filter*>(request.seccomp.data())},
      .hold = {.len = static_cast<unsigned short>(request.hold.size()),
               .filter = const_cast<sock_filter*>(request.hold.data())},
      .socket_trees = std::vector<int>(request.unix_places.size()),
      .capability_count = cap_max_bits(),
      .failure_fd = failures->write_end.get(),
      .supervisor_fd = failures->read_end.get(),
      .status_fd = status->write_end.get(),
      .next_step = 0};
  int pidfd = -1;
  const pid_t pid = CloneInto(request.cgroup_fd, pidfd, plan);
  if (pid < 0) return FailErrno(-pid, "cannot clone a child into the run's cgroup");

  SpawnResult result = {
      .child = {.pid = pid, .pidfd = UniqueFd(pidfd), .status = std::move(status->read_end)},
      .failure = std::nullopt,
      .listener = UniqueFd(),
      .starting = UniqueFd()};
  failures->write_end.Reset();
  status->write_end.Reset();
  if (!request.hold.empty()) result.listener = ReceiveListener(failures->read_end.get());
  if (request.holds_programs && result.listener.valid()) {
    result.starting = std::move(failures->read_end);
    return result;
  }
  Result<std::optional<SpawnFailure>> failure = FailureOf(failures->read_end);
  if (!failure || *failure) waitpid(pid, nullptr, 0);
  if (!failure) return std::unexpected(failure.error());
  result.failure = *failure;
  return result;
}

}  // namespace palyra::engine
