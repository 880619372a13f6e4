#include "engine/cell_init.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/file.h"

namespace palyra::engine {
namespace {

// proc_pid_stat(5); counted from 1, behind the name, which may hold anything.
constexpr int kStateField = 3;
constexpr int kArgumentsBegin = 48;
constexpr int kArgumentsEnd = 49;

uintptr_t FieldOf(std::string_view stat, int field) {
  stat.remove_prefix(std::min(stat.rfind(')') + 2, stat.size()));
  for (int i = kStateField; i < field; ++i) {
    stat.remove_prefix(std::min(stat.find(' ') + 1, stat.size()));
  }
  uintptr_t value = 0;
  std::from_chars(stat.data(), stat.data() + stat.size(), value);
  return value;
}

[[noreturn]] void End(int status, int status_fd) {
  (void)!write(status_fd, &status, sizeof(status));
  _exit(0);
}

void Reap(pid_t command, int status_fd) {
  int status = 0;
  for (pid_t ended = 1; ended > 0;) {
    ended = waitpid(-1, &status, WNOHANG);
    if (ended == command) End(status, status_fd);
  }
}

}  // namespace

int ForgetArguments() {
  if (prctl(PR_SET_NAME, "palyra-init") != 0) return errno;
  const Result<std::string> stat = base::ReadFile("/proc/self/stat");
  if (!stat) return stat.error().system_errno != 0 ? stat.error().system_errno : EIO;
  const uintptr_t begin = FieldOf(*stat, kArgumentsBegin);
  const uintptr_t end = FieldOf(*stat, kArgumentsEnd);
  if (begin == 0 || end < begin) return EIO;
  // NOLINTNEXTLINE(performance-no-int-to-ptr): this is what the kernel calls it.
  memset(reinterpret_cast<void*>(begin), 0, end - begin);
  return 0;
}

void BeInit(pid_t command, int status_fd) {
  sigset_t all;
  sigfillset(&all);
  while (true) {
    Reap(command, status_fd);
    siginfo_t info;
    const int signal = sigwaitinfo(&all, &info);
    // Who is outside the cell has no number in it.
    const bool is_from_outside = signal > 0 && signal != SIGCHLD && info.si_pid == 0;
    if (is_from_outside && info.si_code <= 0) kill(command, signal);
  }
}

}  // namespace palyra::engine
