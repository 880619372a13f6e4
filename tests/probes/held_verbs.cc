// Calls that wait for an answer, and what a tool may do meanwhile. SIGUSR1 says when.

#include <signal.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <string>
#include <thread>

#include "tests/probes/target.h"

namespace palyra::probes {
namespace {

// Another thread puts the second address in place of the first one.
Outcome ConnectSwapped(Arguments arguments) {
  auto target = ParseTarget(arguments[0], arguments[1]);
  const auto other = ParseTarget(arguments[2], arguments[3]);
  if (!target || !other || target->length != other->length) return CouldNotTry(EINVAL);
  const UniqueFd fd = OpenSocket(*target, SOCK_STREAM, 0);
  if (!fd.valid()) return FromErrno(errno);
  sigset_t now;
  sigemptyset(&now);
  sigaddset(&now, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &now, nullptr);
  std::thread swapping([&] {
    int signal = 0;
    sigwait(&now, &signal);
    target->storage = other->storage;
  });
  const Outcome outcome = ConnectAndSend(fd.get(), *target);
  pthread_kill(swapping.native_handle(), SIGUSR1);
  swapping.join();
  return outcome;
}

std::atomic<int> signals = 0;

// The detail is how many signals came.
Outcome ConnectSignaled(Arguments arguments) {
  const auto target = ParseTarget(arguments[0], arguments[1]);
  if (!target) return CouldNotTry(EINVAL);
  struct sigaction action = {};
  action.sa_handler = [](int) { ++signals; };
  sigaction(SIGUSR1, &action, nullptr);
  const UniqueFd fd = OpenSocket(*target, SOCK_STREAM, 0);
  if (!fd.valid()) return FromErrno(errno);
  int error = connect(fd.get(), target->address(), target->length) == 0 ? 0 : errno;
  // A signal that came meanwhile ends the call as it begins to connect, which goes on.
  if (error == EINTR) error = WaitConnected(fd.get());
  Outcome outcome = error != 0
                        ? FromErrno(error)
                        : FromSent(send(fd.get(), kToken.data(), kToken.size(), MSG_NOSIGNAL));
  outcome.detail = std::to_string(signals);
  return outcome;
}

constexpr std::array kVerbs = {
    Verb{"tcp-connect-swapped", 4, false, "ADDRESS PORT ADDRESS PORT", ConnectSwapped},
    Verb{"tcp-connect-signaled", 2, false, "ADDRESS PORT", ConnectSignaled},
};

}  // namespace

std::span<const Verb> HeldVerbs() { return kVerbs; }

}  // namespace palyra::probes
