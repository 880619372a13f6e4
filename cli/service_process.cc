#include "cli/service_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "base/trusted_file.h"

namespace palyra::cli {
namespace {

constexpr int kFirstFd = 3;

// What loads it could be anybody's but for this check: it is started as root.
Result<std::string> PathOf(const std::string& program) {
  std::error_code failure;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (failure) return FailErrno(failure.value(), "cannot tell where this program lies");
  std::string path = (self.parent_path() / program).string();
  if (Result<void> trusted = base::RequireTrusted(path); !trusted) {
    return std::unexpected(trusted.error());
  }
  return path;
}

// The descriptors at kFirstFd and up, in this order, without close-on-exec.
Result<pid_t> Spawn(const std::string& path, const std::vector<int>& fds,
                    std::vector<std::string> arguments) {
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  char* const environment[] = {nullptr};

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  // It says what hinders it from starting, and nothing of the caller's is its to read or write.
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  // Above all targets first: none of them may be overwritten before it is moved.
  const int above =
      std::max(kFirstFd + static_cast<int>(fds.size()), *std::ranges::max_element(fds) + 1);
  for (size_t i = 0; i < fds.size(); ++i) {
    posix_spawn_file_actions_adddup2(&actions, fds[i], above + static_cast<int>(i));
  }
  for (size_t i = 0; i < fds.size(); ++i) {
    posix_spawn_file_actions_adddup2(&actions, above + static_cast<int>(i),
                                     kFirstFd + static_cast<int>(i));
  }
  posix_spawn_file_actions_addclosefrom_np(&actions, kFirstFd + static_cast<int>(fds.size()));
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  // A signal from the terminal is for the command; the service ends with its parent.
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  pid_t pid = -1;
  const int failure =
      posix_spawn(&pid, path.c_str(), &actions, &attributes, argv.data(), environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) return FailErrno(failure, "cannot start \"" + path + '"');
  return pid;
}

}  // namespace

Result<ServiceProcess> ServiceProcess::Start(const std::string& program,
                                             std::vector<UniqueFd> sockets,
                                             const std::vector<std::string>& arguments) {
  Result<std::string> path = PathOf(program);
  if (!path) return std::unexpected(path.error());
  std::array<int, 2> channel = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel.data()) != 0) {
    return FailErrno(errno, "cannot make a channel to " + program);
  }
  ServiceProcess process;
  process.channel_ = UniqueFd(channel[0]);
  const UniqueFd other_end(channel[1]);
  std::vector<int> fds = {other_end.get()};
  for (const UniqueFd& fd : sockets) fds.push_back(fd.get());
  std::vector<std::string> argv = {program};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  Result<pid_t> pid = Spawn(*path, fds, std::move(argv));
  if (!pid) return std::unexpected(pid.error());
  process.pidfd_ = UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, *pid, 0)));
  if (!process.pidfd_.valid()) {
    const int failure = errno;
    kill(*pid, SIGKILL);  // Not waited for yet, so it is this process.
    return FailErrno(failure, "cannot watch " + program);
  }
  process.pid_ = *pid;
  process.sockets_ = std::move(sockets);
  return process;
}

ServiceProcess::ServiceProcess(ServiceProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)),
      channel_(std::move(other.channel_)),
      sockets_(std::move(other.sockets_)) {}

ServiceProcess::~ServiceProcess() {
  if (pid_ < 0) return;
  Kill();
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

// By a descriptor: the number may be another process's by now.
std::vector<int> ServiceProcess::sockets() const {
  std::vector<int> fds;
  fds.reserve(sockets_.size());
  for (const UniqueFd& socket : sockets_) fds.push_back(socket.get());
  return fds;
}

void ServiceProcess::Kill() const {
  syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

}  // namespace palyra::cli
