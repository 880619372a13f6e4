#include "engine/guardian.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace palyra::engine {
namespace {

void LeaveTheTerminal() {
  setsid();
  const int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd <= 2; ++fd) {
    if (null_fd >= 0) {
      dup2(null_fd, fd);
    } else {
      close(fd);
    }
  }
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
}

[[noreturn]] void Watch(int supervisor_alive, const std::function<void()>& end_run) {
  LeaveTheTerminal();
  char byte = 0;
  while (read(supervisor_alive, &byte, 1) < 0 && errno == EINTR) {
  }
  end_run();
  _exit(0);
}

}  // namespace

Result<Guardian> Guardian::Start(const std::function<void()>& end_run) {
  std::array<int, 2> pipe_fds;
  if (pipe2(pipe_fds.data(), O_CLOEXEC) != 0) return FailErrno(errno, "cannot make a pipe");
  const UniqueFd read_end(pipe_fds[0]);
  UniqueFd write_end(pipe_fds[1]);
  const pid_t pid = fork();
  if (pid < 0) return FailErrno(errno, "cannot fork the guardian of the run");
  if (pid == 0) {
    write_end.Reset();
    Watch(read_end.get(), end_run);
  }
  return Guardian(pid, std::move(write_end));
}

Guardian::Guardian(Guardian&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), alive_(std::move(other.alive_)) {}

void Guardian::Dismiss() const {
  // To kill(2), -1 is every process there is.
  if (pid_ > 0) kill(pid_, SIGKILL);
}

Guardian::~Guardian() {
  if (pid_ < 0) return;
  Dismiss();
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace palyra::engine
