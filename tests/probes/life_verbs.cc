// Ways to end, and ways not to.

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "tests/probes/target.h"

namespace palyra::probes {
namespace {

Outcome ExitWith(Arguments arguments) {
  const auto status = ParseNumber(arguments[0]);
  if (!status) return CouldNotTry(EINVAL);
  _exit(*status);
}

Outcome RaiseSignal(Arguments arguments) {
  const auto signal_number = ParseNumber(arguments[0]);
  if (!signal_number) return CouldNotTry(EINVAL);
  if (raise(*signal_number) != 0) return FromErrno(errno);
  return Shown();
}

Outcome TouchFile(Arguments arguments) {
  const UniqueFd fd(open(arguments[0], O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  return fd.valid() ? Allowed() : FromErrno(errno);
}

[[noreturn]] void WaitForever() {
  while (true) pause();
}

// Tells the starter that this child is as it should be.
void ReportSettled(int settled) {
  const char byte = 1;
  if (write(settled, &byte, 1) != 1) _exit(1);
  close(settled);
}

[[noreturn]] void BecomeDaemon(int settled) {
  setsid();
  if (fork() != 0) _exit(0);
  ReportSettled(settled);
  WaitForever();
}

[[noreturn]] void BecomeSession(int settled) {
  setsid();
  ReportSettled(settled);
  WaitForever();
}

[[noreturn]] void BecomeStopped(int settled) {
  ReportSettled(settled);
  raise(SIGSTOP);
  WaitForever();
}

[[noreturn]] void BecomeDeaf(int settled) {
  for (const int signal_number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGALRM}) {
    signal(signal_number, SIG_IGN);
  }
  ReportSettled(settled);
  WaitForever();
}

// Twenty children, each replaced as soon as it dies: bounded, but a killer that goes by a list of
// pids does not catch up.
[[noreturn]] void BecomeBrood(int settled) {
  for (int i = 0; i < 20; ++i) {
    if (fork() == 0) {
      setsid();
      WaitForever();
    }
  }
  ReportSettled(settled);
  for (int replaced = 0; replaced < 1000; ++replaced) {
    if (waitpid(-1, nullptr, 0) < 0) break;
    if (fork() == 0) WaitForever();
  }
  WaitForever();
}

struct Leftover {
  const char* name;
  void (*become)(int settled);
};

constexpr std::array kLeftovers = {
    Leftover{"daemon", BecomeDaemon},   Leftover{"session", BecomeSession},
    Leftover{"stopped", BecomeStopped}, Leftover{"deaf", BecomeDeaf},
    Leftover{"brood", BecomeBrood},
};

// Forks a leftover of that kind and waits until it has settled; 0 or an errno.
int Leave(const char* kind) {
  for (const Leftover& leftover : kLeftovers) {
    if (std::strcmp(leftover.name, kind) != 0) continue;
    std::array<int, 2> settled = {-1, -1};
    if (pipe2(settled.data(), O_CLOEXEC) != 0) return errno;
    const UniqueFd receiving(settled[0]);
    const pid_t child = fork();
    if (child == 0) leftover.become(settled[1]);
    close(settled[1]);
    if (child < 0) return EAGAIN;
    char byte = 0;
    return read(receiving.get(), &byte, 1) == 1 ? 0 : ECHILD;
  }
  return EINVAL;
}

// linger MARK END KIND...: leaves one process of each kind, writes "ready", then waits for a signal
// ("wait"), exits with a status (a number) or is killed ("killed"). MARK is for whoever looks for
// these processes in /proc/PID/cmdline.
Outcome Linger(Arguments arguments) {
  for (const char* kind : arguments.subspan(2)) {
    if (const int error = Leave(kind); error != 0) return CouldNotTry(error, kind);
  }
  constexpr std::string_view kReady = "ready\n";
  if (write(STDOUT_FILENO, kReady.data(), kReady.size()) < 0) return CouldNotTry(errno, "stdout");
  if (std::strcmp(arguments[1], "wait") == 0) WaitForever();
  if (std::strcmp(arguments[1], "killed") == 0) raise(SIGKILL);
  return ExitWith(arguments.subspan(1));
}

constexpr std::array kVerbs = {
    Verb{"exit-with", 1, false, "STATUS", ExitWith},
    Verb{"raise", 1, false, "SIGNAL", RaiseSignal},
    Verb{"touch", 1, false, "PATH", TouchFile},
    Verb{"linger", 2, true, "MARK wait|killed|STATUS [daemon|session|stopped|deaf|brood]...",
         Linger},
};

}  // namespace

std::span<const Verb> LifeVerbs() { return kVerbs; }

}  // namespace palyra::probes
