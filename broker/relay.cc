#include "broker/relay.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace palyra::broker {
namespace {

constexpr uint64_t kStopTag = 1;
constexpr uint64_t kChangedTag = 2;
constexpr uint64_t kFirstAcceptTag = 3;  // Of the first listener.
// Tags of connections are above those.
constexpr uint64_t kNumbersBefore =
    (kFirstAcceptTag + Relay::kMostListeners) / Connection::kWatches;

constexpr size_t kScratch = size_t{64} * 1024;

constexpr std::chrono::milliseconds kAcceptPause{100};
constexpr std::chrono::milliseconds kShortestWait{10};  // Between two looks at all deadlines.
constexpr std::chrono::milliseconds kLongestWait{60'000};

// splice(2) into a socket without a reader raises SIGPIPE on older kernels.
class SigpipeBlocked {
 public:
  SigpipeBlocked() {
    sigemptyset(&sigpipe_);
    sigaddset(&sigpipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &sigpipe_, &before_);
  }
  SigpipeBlocked(const SigpipeBlocked&) = delete;
  SigpipeBlocked& operator=(const SigpipeBlocked&) = delete;
  ~SigpipeBlocked() {
    const timespec now = {};
    while (sigtimedwait(&sigpipe_, nullptr, &now) == SIGPIPE) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t sigpipe_ = {};
  sigset_t before_ = {};
};

}  // namespace

Result<std::unique_ptr<Relay>> Relay::Create(std::vector<UniqueFd> listeners,
                                             RelayAuthority& authority,
                                             const RelayOptions& options) {
  if (listeners.empty() || listeners.size() > kMostListeners) {
    return Fail(ErrorCode::kInvalidArgument, "the relay has no listener, or too many");
  }
  std::vector<Listener> own;
  for (UniqueFd& fd : listeners) {
    // io_uring would not wait for a socket that is non-blocking.
    const int flags = fcntl(fd.get(), F_GETFL);
    if (flags < 0 || fcntl(fd.get(), F_SETFL, flags & ~O_NONBLOCK) != 0) {
      return FailErrno(errno, "a listener of the relay");
    }
    own.push_back({.fd = std::move(fd), .accepting = false, .accept_at = {}});
  }
  UniqueFd stop(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop.valid()) return FailErrno(errno, "cannot make an eventfd");
  auto ring = RelayRing::Create();
  if (!ring) return std::unexpected(ring.error());
  return std::unique_ptr<Relay>(
      new Relay(std::move(own), std::move(stop), *std::move(ring), authority, options));
}

Relay::Relay(std::vector<Listener> listeners, UniqueFd stop, std::unique_ptr<RelayRing> ring,
             RelayAuthority& authority, const RelayOptions& options)
    : listeners_(std::move(listeners)),
      stop_(std::move(stop)),
      options_(options),
      ring_(std::move(ring)),
      scratch_(kScratch),
      context_{.authority = authority,
               .options = options_,
               .ring = *ring_,
               .pipes = pipes_,
               .scratch = scratch_,
               .now = RelayClock::now()},
      last_number_(kNumbersBefore) {}

Relay::~Relay() = default;

void Relay::Stop() {
  const uint64_t one = 1;
  // A counter that is full says the same.
  [[maybe_unused]] const ssize_t written = write(stop_.get(), &one, sizeof(one));
}

Result<void> Relay::Start() {
  if (started_) return {};
  started_ = true;
  return ring_->Start();
}

Result<void> Relay::Run(const RelayOwner& owner) {
  const SigpipeBlocked blocked;
  if (auto started = Start(); !started) return started;
  ring_->Poll(stop_.get(), POLLIN, kStopTag);
  // No events but the end: what else comes there is not for the relay.
  if (owner.life >= 0) ring_->Poll(owner.life, 0, kStopTag);
  changed_ = owner.changed;
  if (changed_ >= 0) ring_->Poll(changed_, POLLIN, kChangedTag);
  next_deadline_ = RelayClock::now() + kLongestWait;
  while (!stopped_) {
    AcceptAgain();
    const auto completions = ring_->Wait(UntilDeadline());
    if (!completions) return std::unexpected(completions.error());
    context_.now = RelayClock::now();
    for (const RelayRing::Completion& completion : *completions) Serve(completion);
    if (context_.now >= next_deadline_) PassDeadlines();
  }
  for (const auto& [number, connection] : connections_) connection->Abort();
  connections_.clear();
  open_connections_ = 0;
  // Has the last closes submitted.
  const auto closed = ring_->Wait(std::chrono::milliseconds(0));
  if (!closed) return std::unexpected(closed.error());
  return {};
}

void Relay::AcceptAgain() {
  for (size_t i = 0; i < listeners_.size(); ++i) {
    Listener& listener = listeners_[i];
    if (listener.accepting || context_.now < listener.accept_at) continue;
    ring_->Accept(listener.fd.get(), kFirstAcceptTag + i);
    listener.accepting = true;
  }
}

void Relay::AskAgain() {
  char message = 0;
  const ssize_t size = recv(changed_, &message, sizeof(message), MSG_DONTWAIT);
  if (size == 0 || (size < 0 && errno != EAGAIN)) {
    stopped_ = true;
    return;
  }
  ring_->Poll(changed_, POLLIN, kChangedTag);
  if (size < 0) return;
  std::erase_if(connections_, [](const auto& numbered) {
    numbered.second->AskAgain();
    return numbered.second->closed();
  });
  open_connections_ = connections_.size();
  if (send(changed_, &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) stopped_ = true;
}

void Relay::Serve(const RelayRing::Completion& completion) {
  if (completion.tag == kStopTag) {
    stopped_ = true;
    return;
  }
  if (completion.tag == kChangedTag) {
    AskAgain();
    return;
  }
  if (completion.tag < kFirstAcceptTag + listeners_.size()) {
    AfterAccept(listeners_.at(completion.tag - kFirstAcceptTag), completion);
    return;
  }
  const uint64_t number = completion.tag / Connection::kWatches;
  const auto found = connections_.find(number);
  if (found == connections_.end()) return;
  const auto watch = static_cast<Connection::Watch>(completion.tag % Connection::kWatches);
  found->second->OnReady(watch, completion.result);
  Settle(number);
}

void Relay::AfterAccept(Listener& listener, const RelayRing::Completion& completion) {
  if (!completion.more) listener.accepting = false;
  if (completion.result >= 0) {
    Admit(UniqueFd(completion.result));
    return;
  }
  // For want of descriptors: clients that wait in the backlog are not lost, and some may come free.
  listener.accept_at = context_.now + kAcceptPause;
}

void Relay::Admit(UniqueFd client) {
  const auto peer = PeerOf(client.get());
  const auto local = LocalOf(client.get());
  // One that is gone already has no name.
  if (!peer || !local) return;
  RelayEvent event = {.outcome = RelayEvent::Outcome::kDenied,
                      .reason = RelayReason::kUnknownDestination,
                      .detail = "",
                      .name = "",
                      .client = *peer,
                      .destination = std::nullopt};
  if (connections_.size() >= options_.max_connections) {
    event.reason = RelayReason::kTooMany;
  } else {
    event.destination = context_.authority.OriginalDestination(*peer, *local);
  }
  if (!event.destination) {
    const linger now = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    context_.authority.Record(event);
    return;
  }
  const uint64_t number = ++last_number_;
  const auto [added, is_new] = connections_.emplace(
      number, std::make_unique<Connection>(std::move(client), *peer, *event.destination,
                                           number * Connection::kWatches, context_));
  added->second->Start();
  Settle(number);
}

// After anything has happened to a connection.
void Relay::Settle(uint64_t number) {
  const auto found = connections_.find(number);
  if (found->second->closed()) {
    connections_.erase(found);
  } else {
    next_deadline_ = std::min(next_deadline_, found->second->deadline());
  }
  open_connections_ = connections_.size();
}

// Deadlines only move away while bytes flow: an early look finds the next one.
void Relay::PassDeadlines() {
  std::vector<uint64_t> passed;
  for (const auto& [number, connection] : connections_) {
    if (connection->deadline() <= context_.now) passed.push_back(number);
  }
  for (const uint64_t number : passed) {
    connections_.at(number)->OnDeadline();
    if (connections_.at(number)->closed()) connections_.erase(number);
  }
  next_deadline_ = context_.now + kLongestWait;
  for (const auto& [number, connection] : connections_) {
    next_deadline_ = std::min(next_deadline_, connection->deadline());
  }
  open_connections_ = connections_.size();
}

std::chrono::milliseconds Relay::UntilDeadline() const {
  auto next = next_deadline_;
  for (const Listener& listener : listeners_) {
    if (!listener.accepting) next = std::min(next, listener.accept_at);
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - context_.now);
  return std::clamp(left, kShortestWait, kLongestWait);
}

}  // namespace palyra::broker
