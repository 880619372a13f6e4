#include "engine/supervisor.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/unique_fd.h"

namespace palyra::engine {
namespace {

using std::chrono::milliseconds;

constexpr std::array kForwarded = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2};

// A flood of denials does not keep the loop from the child and the clock for longer than this many.
constexpr int kEventsAtOnce = 256;

Result<UniqueFd> StartTimer(milliseconds timeout) {
  UniqueFd timer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer.valid()) return FailErrno(errno, "cannot make a timer");
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
  itimerspec when = {};
  when.it_value.tv_sec = seconds.count();
  when.it_value.tv_nsec = std::chrono::nanoseconds(timeout - seconds).count();
  // All zero would disarm it.
  if (timeout <= milliseconds::zero()) when.it_value = {.tv_sec = 0, .tv_nsec = 1};
  if (timerfd_settime(timer.get(), 0, &when, nullptr) != 0) {
    return FailErrno(errno, "cannot start a timer");
  }
  return timer;
}

class Poller {
 public:
  static Result<Poller> Create() {
    UniqueFd fd(epoll_create1(EPOLL_CLOEXEC));
    if (!fd.valid()) return FailErrno(errno, "cannot make an epoll descriptor");
    return Poller(std::move(fd));
  }

  [[nodiscard]] Result<void> Add(int fd) const {
    epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}};
    if (epoll_ctl(fd_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
      return FailErrno(errno, "cannot wait for a descriptor");
    }
    return {};
  }

  void Remove(int fd) const { epoll_ctl(fd_.get(), EPOLL_CTL_DEL, fd, nullptr); }

  // As many as a run has: its end, signals, denials, the deadline, the end and changes of its
  // rules, its names and their end, its limits and its output.
  using Ready = std::array<epoll_event, 10>;

  // The descriptors that are readable, at most as many as were added.
  [[nodiscard]] Result<Ready> Wait(int& count) const {
    Ready ready;
    do {
      count = epoll_wait(fd_.get(), ready.data(), static_cast<int>(ready.size()), -1);
    } while (count < 0 && errno == EINTR);
    if (count < 0) return FailErrno(errno, "cannot wait");
    return ready;
  }

 private:
  explicit Poller(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace

Result<ForwardedSignals> ForwardedSignals::Block() {
  sigset_t forwarded;
  sigemptyset(&forwarded);
  for (const int signal : kForwarded) sigaddset(&forwarded, signal);
  UniqueFd fd(signalfd(-1, &forwarded, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return FailErrno(errno, "cannot make a signal descriptor");
  sigset_t previous;
  sigprocmask(SIG_BLOCK, &forwarded, &previous);
  return ForwardedSignals(std::move(fd), previous);
}

ForwardedSignals::ForwardedSignals(ForwardedSignals&& other) noexcept
    : fd_(std::move(other.fd_)), previous_(other.previous_) {}

ForwardedSignals::~ForwardedSignals() {
  if (!fd_.valid()) return;
  sigprocmask(SIG_SETMASK, &previous_, nullptr);
}

void ForwardedSignals::ForwardOne(int pidfd) const {
  signalfd_siginfo info;
  if (read(fd_.get(), &info, sizeof(info)) != sizeof(info)) return;
  if (info.ssi_code == SI_KERNEL) return;
  syscall(SYS_pidfd_send_signal, pidfd, static_cast<int>(info.ssi_signo), nullptr, 0);
}

Result<WaitEnd> WaitForChild(const WaitRequest& request) {
  Result<Poller> poller = Poller::Create();
  if (!poller) return std::unexpected(poller.error());
  UniqueFd timer;
  if (request.timeout) {
    Result<UniqueFd> started = StartTimer(*request.timeout);
    if (!started) return std::unexpected(started.error());
    timer = *std::move(started);
  }
  const int child = request.child->end_fd();
  const int renewal = request.renewal == nullptr ? -1 : request.renewal->fd();
  const int watch = request.renewal == nullptr ? -1 : request.renewal->watch_fd();
  for (const int fd :
       {child, request.signals->fd(), request.events->epoll_fd(), timer.get(), renewal, watch}) {
    if (fd < 0) continue;
    if (Result<void> added = poller->Add(fd); !added) return std::unexpected(added.error());
  }
  for (const WaitSource& source : request.sources) {
    if (Result<void> added = poller->Add(source.fd); !added) return std::unexpected(added.error());
  }
  while (true) {
    int count = 0;
    Result<Poller::Ready> ready = poller->Wait(count);
    if (!ready) return std::unexpected(ready.error());
    for (int i = 0; i < count; ++i) {
      const int fd = (*ready)[static_cast<size_t>(i)].data.fd;
      if (fd == child) return WaitEnd::kChildEnded;
      if (fd == timer.get()) return WaitEnd::kDeadline;
      if (fd == renewal) request.renewal->OnReadable();
      if (fd == watch) request.renewal->OnChange();
      const bool is_renewal = fd == renewal || fd == watch;
      if (is_renewal && request.must_end != nullptr && *request.must_end && (*request.must_end)()) {
        return WaitEnd::kRulesChanged;
      }
      if (fd == request.signals->fd()) request.signals->ForwardOne(request.child->pidfd.get());
      if (fd == request.events->epoll_fd()) {
        request.events->Drain(
            *request.on_event, kEventsAtOnce,
            request.on_path_event == nullptr ? EventRing::PathHandler() : *request.on_path_event);
      }
      for (const WaitSource& source : request.sources) {
        if (fd == source.fd && !source.on_readable()) poller->Remove(fd);
      }
      if (request.is_over_limit && request.is_over_limit()) return WaitEnd::kLimit;
    }
  }
}

}  // namespace palyra::engine
