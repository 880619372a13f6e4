#include "engine/policy_watch.h"

#include <fcntl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"

namespace palyra::engine {
namespace {

sigset_t OnlySigio() {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGIO);
  return mask;
}

}  // namespace

Result<PolicyWatch> PolicyWatch::Start(const PolicyStore& store) {
  if (Result<void> made = base::MakeDirectories(store.path()); !made) {
    return std::unexpected(made.error());
  }
  Result<UniqueFd> directory = base::OpenFile(store.path(), O_RDONLY | O_DIRECTORY);
  if (!directory) return std::unexpected(directory.error());
  const sigset_t sigio = OnlySigio();
  UniqueFd signals(signalfd(-1, &sigio, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals.valid()) return FailErrno(errno, "cannot make a signal descriptor");
  sigset_t previous;
  sigprocmask(SIG_BLOCK, &sigio, &previous);
  PolicyWatch watch(*std::move(directory), std::move(signals), sigismember(&previous, SIGIO) == 1);
  if (fcntl(watch.directory_.get(), F_NOTIFY, DN_RENAME | DN_DELETE | DN_MULTISHOT) != 0) {
    return FailErrno(errno, "cannot watch \"" + store.path() + "\" (CONFIG_DNOTIFY)");
  }
  return watch;
}

PolicyWatch::PolicyWatch(PolicyWatch&& other) noexcept = default;

PolicyWatch::~PolicyWatch() {
  if (!signals_.valid()) return;
  directory_.Reset();
  Acknowledge();
  const sigset_t sigio = OnlySigio();
  if (!was_blocked_) sigprocmask(SIG_UNBLOCK, &sigio, nullptr);
}

void PolicyWatch::Acknowledge() const {
  signalfd_siginfo info;
  while (read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
  }
}

sigset_t PolicyWatch::MaskWithout(sigset_t mask) const {
  if (!was_blocked_) sigdelset(&mask, SIGIO);
  return mask;
}

}  // namespace palyra::engine
