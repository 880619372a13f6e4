#include "engine/output_relay.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <string>
#include <utility>

namespace palyra::engine {
namespace {

constexpr size_t kAtOnce = 65'536;
// So that one flood keeps the supervisor from nothing else.
constexpr int kMovesAtOnce = 16;

// Another open file of the same pipe or terminal, so that O_NONBLOCK is not set for all who have
// this one. Not valid, with errno, where it cannot be had.
UniqueFd Reopen(int fd) {
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  return UniqueFd(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

bool IsReadable(int fd) {
  pollfd poll_in{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&poll_in, 1, 0) > 0 && (poll_in.revents & POLLIN) != 0;
}

bool HasEnded(int fd) {
  pollfd poll_in{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&poll_in, 1, 0) > 0 && (poll_in.revents & POLLIN) == 0;
}

}  // namespace

Result<OutputRelay> OutputRelay::Create(uint64_t limit, uid_t uid, gid_t gid) {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return FailErrno(errno, "cannot make an epoll descriptor");
  OutputRelay relay(std::move(epoll));
  for (const int place : {STDOUT_FILENO, STDERR_FILENO}) {
    if (Result<void> opened = relay.Open(place, limit, uid, gid); !opened) {
      return std::unexpected(opened.error());
    }
  }
  return relay;
}

OutputRelay::OutputRelay(OutputRelay&& other) noexcept
    : epoll_(std::move(other.epoll_)),
      streams_(std::move(other.streams_)),
      blocks_sigpipe_(std::exchange(other.blocks_sigpipe_, false)),
      previous_mask_(other.previous_mask_) {}

OutputRelay::~OutputRelay() {
  if (!blocks_sigpipe_) return;
  sigset_t pipe_signal;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  const timespec now = {};
  while (sigtimedwait(&pipe_signal, nullptr, &now) > 0) {
  }
  sigprocmask(SIG_SETMASK, &previous_mask_, nullptr);
}

Result<void> OutputRelay::Open(int place, uint64_t limit, uid_t uid, gid_t gid) {
  struct stat status;
  const int flags = fcntl(place, F_GETFL);
  // Nothing can be written to it.
  if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || fstat(place, &status) != 0) return {};
  Stream& stream = streams_.at(static_cast<size_t>(place - 1));
  stream.limit = limit;
  stream.is_socket = S_ISSOCK(status.st_mode);
  const bool is_pipe = S_ISFIFO(status.st_mode);
  const bool is_terminal = S_ISCHR(status.st_mode) && isatty(place) == 1;
  stream.can_poll = stream.is_socket || is_pipe || is_terminal;
  stream.can_splice = is_pipe || (S_ISREG(status.st_mode) && (flags & O_APPEND) == 0);
  stream.out = is_pipe || is_terminal ? Reopen(place) : UniqueFd(fcntl(place, F_DUPFD_CLOEXEC, 0));
  // A pipe that nobody reads.
  const bool is_broken = !stream.out.valid() && errno == ENXIO;
  if (!stream.out.valid() && !is_broken) return FailErrno(errno, "cannot open the output again");

  std::array<int, 2> ends;
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return FailErrno(errno, "cannot make a pipe");
  stream.in = UniqueFd(ends[0]);
  stream.child_end = UniqueFd(ends[1]);
  epoll_event event = {.events = EPOLLIN, .data = {.fd = ends[0]}};
  if (fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0 || fchown(ends[0], uid, gid) != 0 ||
      epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, ends[0], &event) != 0) {
    return FailErrno(errno, "cannot relay the output");
  }
  if (is_broken) End(stream);
  return {};
}

int OutputRelay::ChildEnd(int stream) const {
  return streams_.at(static_cast<size_t>(stream - 1)).child_end.get();
}

uint64_t OutputRelay::Count(int stream) const {
  return streams_.at(static_cast<size_t>(stream - 1)).count;
}

void OutputRelay::Begin() {
  for (Stream& stream : streams_) stream.child_end.Reset();
  sigset_t pipe_signal;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  sigprocmask(SIG_BLOCK, &pipe_signal, &previous_mask_);
  blocks_sigpipe_ = true;
}

void OutputRelay::Serve() {
  for (Stream& stream : streams_) Pump(stream);
}

bool OutputRelay::is_over() const { return std::ranges::any_of(streams_, &Stream::is_over); }

void OutputRelay::Pump(Stream& stream) {
  for (int i = 0; i < kMovesAtOnce && stream.in.valid(); ++i) {
    switch (Move(stream)) {
      case Step::kMoved:
        break;
      case Step::kWaitInput:
        WaitForReader(stream, false);
        return;
      case Step::kWaitReader:
        WaitForReader(stream, true);
        return;
      case Step::kEnded:
        End(stream);
        return;
    }
  }
}

OutputRelay::Step OutputRelay::Move(Stream& stream) {
  if (stream.pending_begin < stream.pending_end) return WritePending(stream);
  const auto room = static_cast<size_t>(std::min<uint64_t>(stream.limit - stream.count, kAtOnce));
  if (room == 0) {
    stream.is_over = IsReadable(stream.in.get());
    return stream.is_over || HasEnded(stream.in.get()) ? Step::kEnded : Step::kWaitInput;
  }
  return stream.can_splice ? Splice(stream, room) : Copy(stream);
}

OutputRelay::Step OutputRelay::Splice(Stream& stream, size_t room) {
  const ssize_t size = splice(stream.in.get(), nullptr, stream.out.get(), nullptr, room,
                              SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
  if (size > 0) {
    stream.count += static_cast<uint64_t>(size);
    return Step::kMoved;
  }
  if (size == 0) return Step::kEnded;
  if (errno == EINTR) return Step::kMoved;
  if (errno == EAGAIN) {
    return IsReadable(stream.in.get()) ? Step::kWaitReader : Step::kWaitInput;
  }
  if (errno != EINVAL) return Step::kEnded;
  stream.can_splice = false;  // Not into this kind of file.
  return Step::kMoved;
}

OutputRelay::Step OutputRelay::Copy(Stream& stream) {
  if (stream.buffer == nullptr) stream.buffer = std::make_unique<std::array<char, kAtOnce>>();
  const size_t room = static_cast<size_t>(std::min<uint64_t>(stream.limit - stream.count, kAtOnce));
  const ssize_t size = read(stream.in.get(), stream.buffer->data(), room);
  if (size == 0) return Step::kEnded;
  if (size < 0) {
    return errno == EAGAIN ? Step::kWaitInput : errno == EINTR ? Step::kMoved : Step::kEnded;
  }
  stream.count += static_cast<uint64_t>(size);
  stream.pending_begin = 0;
  stream.pending_end = static_cast<size_t>(size);
  return WritePending(stream);
}

OutputRelay::Step OutputRelay::WritePending(Stream& stream) {
  const char* const data = stream.buffer->data() + stream.pending_begin;
  const size_t size = stream.pending_end - stream.pending_begin;
  const ssize_t written = stream.is_socket
                              ? send(stream.out.get(), data, size, MSG_DONTWAIT | MSG_NOSIGNAL)
                              : write(stream.out.get(), data, size);
  if (written < 0) {
    return errno == EAGAIN ? Step::kWaitReader : errno == EINTR ? Step::kMoved : Step::kEnded;
  }
  stream.pending_begin += static_cast<size_t>(written);
  return Step::kMoved;
}

// While a reader is waited for, what the run writes does not matter.
void OutputRelay::WaitForReader(Stream& stream, bool wait) {
  wait = wait && stream.can_poll;
  if (stream.waits_for_reader == wait) return;
  stream.waits_for_reader = wait;
  const int before = wait ? stream.in.get() : stream.out.get();
  const int after = wait ? stream.out.get() : stream.in.get();
  epoll_event event = {.events = wait ? EPOLLOUT : EPOLLIN, .data = {.fd = after}};
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, before, nullptr);
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, after, &event) != 0) End(stream);
}

// A run that writes on gets SIGPIPE.
void OutputRelay::End(Stream& stream) {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL,
            stream.waits_for_reader ? stream.out.get() : stream.in.get(), nullptr);
  stream.in.Reset();
}

bool OutputRelay::HasMore() const {
  return std::ranges::any_of(streams_, [](const Stream& stream) { return stream.in.valid(); });
}

void OutputRelay::Drain(int interrupt, std::optional<std::chrono::milliseconds> patience) {
  while (HasMore()) {
    std::array<pollfd, 2> waits = {{{.fd = epoll_.get(), .events = POLLIN, .revents = 0},
                                    {.fd = interrupt, .events = POLLIN, .revents = 0}}};
    const int timeout = patience ? static_cast<int>(patience->count()) : -1;
    const int ready = poll(waits.data(), waits.size(), timeout);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0 || waits[1].revents != 0) return;
    Serve();
  }
}

}  // namespace palyra::engine
