#include "broker/poller.h"

#include <cerrno>
#include <utility>

namespace palyra::broker {
namespace {

constexpr unsigned kSourceShift = 56;

epoll_event Pack(uint32_t events, const Watched& watched) {
  epoll_event event = {};
  event.events = events;
  event.data.u64 = (uint64_t{std::to_underlying(watched.source)} << kSourceShift) | watched.number;
  return event;
}

Event Unpack(const epoll_event& event) {
  const uint64_t packed = event.data.u64;
  return {.watched = {.source = static_cast<Source>(packed >> kSourceShift),
                      .number = packed & ((uint64_t{1} << kSourceShift) - 1)},
          .events = event.events};
}

}  // namespace

Result<Poller> Poller::Create() {
  UniqueFd fd(epoll_create1(EPOLL_CLOEXEC));
  if (!fd.valid()) return FailErrno(errno, "cannot make an epoll descriptor");
  return Poller(std::move(fd));
}

bool Poller::Watch(int fd, uint32_t events, const Watched& watched) const {
  epoll_event event = Pack(events, watched);
  return epoll_ctl(fd_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Poller::Change(int fd, uint32_t events, const Watched& watched) const {
  epoll_event event = Pack(events, watched);
  (void)epoll_ctl(fd_.get(), EPOLL_CTL_MOD, fd, &event);
}

void Poller::Forget(int fd) const { (void)epoll_ctl(fd_.get(), EPOLL_CTL_DEL, fd, nullptr); }

Result<std::span<const Event>> Poller::Wait(int timeout_ms) {
  const int count = epoll_wait(fd_.get(), raw_.data(), kBatch, timeout_ms);
  if (count < 0 && errno != EINTR) return FailErrno(errno, "cannot wait for DNS queries");
  size_t used = 0;
  for (; std::cmp_less(used, count); ++used) events_[used] = Unpack(raw_[used]);
  return std::span<const Event>(events_).first(used);
}

}  // namespace palyra::broker
