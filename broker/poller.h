// epoll(7), with a name for each descriptor.

#ifndef PALYRA_BROKER_POLLER_H_
#define PALYRA_BROKER_POLLER_H_

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "base/unique_fd.h"

namespace palyra::broker {

enum class Source : uint8_t { kStop, kUdpListener, kTcpListener, kTcpClient, kServer };

// What an event is about. Numbers are not used again, so that an event for something that is gone
// by now finds nothing.
struct Watched {
  Source source = Source::kStop;
  uint64_t number = 0;  // Below 2^56.
};

struct Event {
  Watched watched;
  uint32_t events = 0;  // EPOLLIN …
};

class Poller {
 public:
  static Result<Poller> Create();

  // Level-triggered. False if the kernel has no room for it. Closing `fd` ends it.
  [[nodiscard]] bool Watch(int fd, uint32_t events, const Watched& watched) const;

  void Change(int fd, uint32_t events, const Watched& watched) const;

  void Forget(int fd) const;

  // Waits at most `timeout_ms` (-1: for ever) for events. Valid until the next call.
  Result<std::span<const Event>> Wait(int timeout_ms);

 private:
  static constexpr size_t kBatch = 64;

  explicit Poller(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
  std::array<epoll_event, kBatch> raw_ = {};
  std::array<Event, kBatch> events_ = {};
};

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_POLLER_H_
