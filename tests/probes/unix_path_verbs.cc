// Ways to reach a unix socket by another path than its own.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

#include "base/unique_fd.h"
#include "tests/probes/target.h"
#include "tests/probes/unix_target.h"

namespace palyra::probes {
namespace {

using Path = std::array<char, 108>;

Outcome ConnectRelative(Arguments arguments) {
  if (chdir(arguments[0]) != 0) return CouldNotTry(errno, "chdir");
  return ConnectUnix(SOCK_STREAM, arguments[1]);
}

Outcome ConnectLinked(Arguments arguments) {
  unlink(arguments[0]);
  if (symlink(arguments[1], arguments[0]) != 0) return CouldNotTry(errno, "symlink");
  const Outcome outcome = ConnectUnix(SOCK_STREAM, arguments[0]);
  unlink(arguments[0]);
  return outcome;
}

// LINK to a directory, and NAME below it.
Outcome ConnectBelowLink(Arguments arguments) {
  unlink(arguments[0]);
  if (symlink(arguments[1], arguments[0]) != 0) return CouldNotTry(errno, "symlink");
  std::array<char, 108> path = {};
  std::snprintf(path.data(), path.size(), "%s/%s", arguments[0], arguments[2]);
  const Outcome outcome = ConnectUnix(SOCK_STREAM, path.data());
  unlink(arguments[0]);
  return outcome;
}

// The permitted PATH, which this may rename or remove, becomes a link to TARGET.
Outcome ConnectSwapped(Arguments arguments) {
  std::array<char, 120> aside = {};
  std::snprintf(aside.data(), aside.size(), "%s.aside", arguments[0]);
  if (rename(arguments[0], aside.data()) != 0 && unlink(arguments[0]) != 0) {
    return CouldNotTry(errno, "unlink");
  }
  Outcome outcome = CouldNotTry(EINVAL, "symlink");
  if (symlink(arguments[1], arguments[0]) == 0) outcome = ConnectUnix(SOCK_STREAM, arguments[0]);
  unlink(arguments[0]);
  (void)!rename(aside.data(), arguments[0]);
  return outcome;
}

// What /proc/self/fd calls the socket itself.
Outcome ConnectDescriptor(Arguments arguments) {
  const UniqueFd socket(open(arguments[0], O_PATH | O_CLOEXEC));
  if (!socket.valid()) return CouldNotTry(errno, "open");
  Path path = {};
  std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", socket.get());
  return ConnectUnix(SOCK_STREAM, path.data());
}

// NAME below an open DIRECTORY.
Outcome ConnectBelowDescriptor(Arguments arguments) {
  const UniqueFd directory(open(arguments[0], O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return CouldNotTry(errno, "open");
  Path path = {};
  std::snprintf(path.data(), path.size(), "/proc/self/fd/%d/%s", directory.get(), arguments[1]);
  return ConnectUnix(SOCK_STREAM, path.data());
}

Outcome ConnectMovedWith(unsigned flags, Arguments arguments) {
  const char* const from = arguments[0];
  const char* const to = arguments[1];
  if (renameat2(AT_FDCWD, from, AT_FDCWD, to, flags) != 0) return FromErrno(errno);
  Outcome outcome = ConnectUnix(SOCK_STREAM, arguments[2]);
  if (renameat2(AT_FDCWD, to, AT_FDCWD, from, flags) != 0) return CouldNotTry(errno, "rename back");
  return outcome;
}

// FROM, a socket or a directory that holds it, is called TO while NAME is connected to.
Outcome ConnectMoved(Arguments arguments) { return ConnectMovedWith(0, arguments); }
Outcome ConnectExchanged(Arguments arguments) {
  return ConnectMovedWith(RENAME_EXCHANGE, arguments);
}

// Hard links: while TO is another name of FROM.
Outcome ConnectHardLinked(Arguments arguments) {
  if (link(arguments[0], arguments[1]) != 0) return FromErrno(errno);
  const Outcome outcome = ConnectUnix(SOCK_STREAM, arguments[1]);
  unlink(arguments[1]);
  return outcome;
}

// Connects to `path` again and again while `turn` changes where it leads.
template <typename Turn>
Outcome Race(const char* path, Turn turn) {
  constexpr std::chrono::milliseconds kTime{300};
  std::atomic<bool> stop = false;
  int arrived = 0;
  const auto attempt = [&] {
    if (ConnectUnix(SOCK_STREAM, path).status == Status::kAllowed) ++arrived;
  };
  // Each once without a race.
  for (const unsigned which : {0U, 1U}) {
    turn(which);
    attempt();
  }
  std::thread other([&] {
    for (unsigned i = 0; !stop; ++i) turn(i % 2);
  });
  const auto end = std::chrono::steady_clock::now() + kTime;
  while (std::chrono::steady_clock::now() < end) attempt();
  stop = true;
  other.join();
  Outcome outcome = arrived > 0 ? Allowed() : FromErrno(EACCES);
  outcome.detail = std::to_string(arrived);
  return outcome;
}

// NAME, from whichever of two directories.
Outcome RaceDirectory(Arguments arguments) {
  return Race(arguments[2], [&](unsigned which) { (void)!chdir(arguments[which]); });
}

// LINK to whichever of two sockets.
Outcome RaceLink(Arguments arguments) {
  Path next = {};
  std::snprintf(next.data(), next.size(), "%s.next", arguments[0]);
  const Outcome outcome = Race(arguments[0], [&](unsigned which) {
    if (symlink(arguments[1 + which], next.data()) == 0) (void)rename(next.data(), arguments[0]);
  });
  unlink(next.data());
  unlink(arguments[0]);
  return outcome;
}

constexpr std::array kVerbs = {
    Verb{"unix-connect-relative", 2, false, "DIRECTORY NAME", ConnectRelative},
    Verb{"unix-connect-linked", 2, false, "LINK TARGET", ConnectLinked},
    Verb{"unix-connect-below-link", 3, false, "LINK DIRECTORY NAME", ConnectBelowLink},
    Verb{"unix-connect-swapped", 2, false, "PATH TARGET", ConnectSwapped},
    Verb{"unix-connect-descriptor", 1, false, "NAME", ConnectDescriptor},
    Verb{"unix-connect-below-descriptor", 2, false, "DIRECTORY NAME", ConnectBelowDescriptor},
    Verb{"unix-connect-moved", 3, false, "FROM TO NAME", ConnectMoved},
    Verb{"unix-connect-exchanged", 3, false, "FROM TO NAME", ConnectExchanged},
    Verb{"unix-connect-hard-linked", 2, false, "FROM TO", ConnectHardLinked},
    Verb{"unix-race-directory", 3, false, "DIRECTORY DIRECTORY NAME", RaceDirectory},
    Verb{"unix-race-link", 3, false, "LINK TARGET TARGET", RaceLink},
};

}  // namespace

std::span<const Verb> UnixPathVerbs() { return kVerbs; }

}  // namespace palyra::probes
