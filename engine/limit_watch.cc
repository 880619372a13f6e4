#include "engine/limit_watch.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "engine/tree_usage.h"

namespace palyra::engine {
namespace {

using std::chrono::microseconds;
using std::chrono::steady_clock;

constexpr microseconds kSampling{50'000};
// Of a supervisor's time, one part in so many goes into measuring at most.
constexpr int kShareOfTime = 10;
// Processor time is looked at when it may be used up, and not more often than this.
constexpr microseconds kShortestWait{5'000};

uint64_t CounterOf(int fd, std::string_view name) {
  std::array<char, 1024> buffer;
  const ssize_t size = pread(fd, buffer.data(), buffer.size(), 0);
  if (size <= 0) return 0;
  return NumberAfter(std::string_view(buffer.data(), static_cast<size_t>(size)), name).value_or(0);
}

}  // namespace

Result<LimitWatch> LimitWatch::Start(const Cgroup& cgroup, const std::vector<LimitEvents>& events,
                                     const RunLimits& measured) {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  UniqueFd timer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!epoll.valid() || !timer.valid()) return FailErrno(errno, "cannot watch the run's limits");
  LimitWatch watch(cgroup, measured, std::move(epoll), std::move(timer));
  if (Result<void> polled = watch.Poll(watch.timer_.get(), EPOLLIN); !polled) {
    return std::unexpected(polled.error());
  }
  for (const LimitEvents& each : events) {
    if (Result<void> watched = watch.Watch(each); !watched) {
      return std::unexpected(watched.error());
    }
  }
  // That it can be counted at all is known before anything runs.
  if (const Result<microseconds> used = CpuTimeOf(cgroup); measured.cpu_time && !used) {
    return std::unexpected(used.error());
  }
  watch.Measure();
  return watch;
}

Result<void> LimitWatch::Poll(int fd, uint32_t events) const {
  epoll_event event = {.events = events, .data = {.fd = fd}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return {};
  return FailErrno(errno, "cannot watch the run's limits");
}

Result<void> LimitWatch::Watch(const LimitEvents& events) {
  Result<UniqueFd> file = base::OpenFile(events.path, O_RDONLY);
  if (!file) return std::unexpected(file.error());
  Source source{.events = events, .file = *std::move(file), .eventfd = UniqueFd()};
  using Told = LimitEvents::Told;
  Result<void> polled;
  if (events.told == Told::kPoll) polled = Poll(source.file.get(), EPOLLPRI);
  if (events.told == Told::kEventfd) polled = WatchMemoryV1(source);
  if (!polled) return polled;
  samples_ = samples_ || events.told == Told::kNot;
  // A change counts from the last time that it was read.
  (void)CounterOf(source.file.get(), source.events.counter);
  sources_.push_back(std::move(source));
  return {};
}

Result<void> LimitWatch::WatchMemoryV1(Source& source) const {
  source.eventfd = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!source.eventfd.valid()) return FailErrno(errno, "cannot make an event descriptor");
  Result<UniqueFd> control = base::OpenFile(source.events.control, O_WRONLY);
  if (!control) return std::unexpected(control.error());
  const std::string text =
      std::to_string(source.eventfd.get()) + ' ' + std::to_string(source.file.get());
  const Result<void> written = base::WriteAll(control->get(), text, source.events.control);
  return written ? Poll(source.eventfd.get(), EPOLLIN) : written;
}

void LimitWatch::Serve() {
  std::array<epoll_event, 4> ready;
  const int count = epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()), 0);
  for (int i = 0; i < count; ++i) {
    const int fd = ready.at(static_cast<size_t>(i)).data.fd;
    if (fd == timer_.get()) Measure();
    for (const Source& source : sources_) {
      if (fd == source.file.get() || fd == source.eventfd.get()) Look(source);
    }
  }
}

void LimitWatch::LookAtEnd() {
  for (const Source& source : sources_) Look(source);
}

bool LimitWatch::IsCpuTimeUsed() const {
  const Result<microseconds> used = CpuTimeOf(*cgroup_);
  return measured_.cpu_time && used && *used >= *measured_.cpu_time;
}

void LimitWatch::Look(const Source& source) {
  // The kernel tells before it counts what it kills.
  uint64_t told = 0;
  const bool is_told =
      source.eventfd.valid() && read(source.eventfd.get(), &told, sizeof(told)) == sizeof(told);
  if (CounterOf(source.file.get(), source.events.counter) > 0 || is_told) Hit(source.events.kind);
}

// And says when to measure again.
void LimitWatch::Measure() {
  uint64_t expirations = 0;
  (void)!read(timer_.get(), &expirations, sizeof(expirations));
  const auto begin = steady_clock::now();
  microseconds wait = microseconds::max();
  if (measured_.cpu_time) {
    const microseconds limit = *measured_.cpu_time;
    const Result<microseconds> used = CpuTimeOf(*cgroup_);
    // What cannot be counted any more is not allowed either.
    if (!used || *used >= limit) {
      Hit(LimitKind::kCpuTime);
    } else {
      const auto processors = std::max<int64_t>(sysconf(_SC_NPROCESSORS_ONLN), 1);
      wait = std::max(kShortestWait, (limit - *used) / processors);
    }
  }
  if (measured_.processes) {
    const Result<uint64_t> threads = CountThreads(*cgroup_);
    if (!threads || *threads > *measured_.processes) Hit(LimitKind::kProcesses);
  }
  if (measured_.memory) {
    const uint64_t most = *measured_.memory + measured_.swap.value_or(0);
    if (MappedMemoryOf(*cgroup_, most) > most) Hit(LimitKind::kMemory);
  }
  for (const Source& source : sources_) {
    if (source.events.told == LimitEvents::Told::kNot) Look(source);
  }
  if (samples_) {
    const auto took = std::chrono::duration_cast<microseconds>(steady_clock::now() - begin);
    wait = std::min(wait, std::max(kSampling, took * kShareOfTime));
  }
  if (!hit_ && wait != microseconds::max()) Arm(wait);
}

void LimitWatch::Arm(microseconds wait) const {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wait);
  itimerspec when = {};
  when.it_value.tv_sec = seconds.count();
  when.it_value.tv_nsec = std::chrono::nanoseconds(wait - seconds).count();
  timerfd_settime(timer_.get(), 0, &when, nullptr);
}

}  // namespace palyra::engine
