#include "broker/tcp_server.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace palyra::broker {
namespace {

// No query that we read is longer.
constexpr size_t kMaxQuery = 4096;

constexpr size_t kReadSize = 4096;

// With more to be sent, no further query of the client is looked at.
constexpr size_t kBusyOutput = size_t{64} << 10;

// With more to be sent, which only replies of servers can bring about, the client is closed.
constexpr size_t kMaxOutput = size_t{512} << 10;

// How long no client is accepted after the process ran out of descriptors or memory.
constexpr std::chrono::milliseconds kPause{100};

size_t FrameSize(std::span<const uint8_t> input) { return (size_t{input[0]} << 8U) | input[1]; }

bool IsTransient(int error) {
  return error == EAGAIN || error == EINTR || error == ECONNABORTED || error == EPROTO;
}

}  // namespace

TcpServer::TcpServer(std::vector<UniqueFd> listeners, const ResolverOptions& options,
                     Poller& poller, ResolverCounters& counters, Handler handler)
    : listeners_(std::move(listeners)),
      options_(options),
      poller_(poller),
      counters_(counters),
      handler_(std::move(handler)) {}

bool TcpServer::Start() {
  for (size_t i = 0; i < listeners_.size(); ++i) {
    if (!poller_.Watch(listeners_[i].get(), EPOLLIN, {Source::kTcpListener, i})) return false;
  }
  return true;
}

void TcpServer::OnListener(uint64_t number, TimePoint now) {
  Accept(listeners_[number].get(), now);
}

void TcpServer::Accept(int listener, TimePoint now) {
  UniqueFd fd(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd.valid()) {
    if (!IsTransient(errno)) PauseListeners(now + kPause);
    return;
  }
  if (clients_.size() >= options_.max_tcp_clients) {
    ++counters_.tcp_clients_refused;
    return;
  }
  const uint64_t number = next_number_++;
  const int raw = fd.get();
  if (!poller_.Watch(raw, EPOLLIN, {Source::kTcpClient, number})) {
    ++counters_.tcp_clients_refused;
    return;
  }
  ++counters_.tcp_clients;
  Client& client = clients_[number];
  client.fd = std::move(fd);
  client.last_progress = now;
  client.watched = EPOLLIN;
}

void TcpServer::PauseListeners(TimePoint until) {
  for (const UniqueFd& listener : listeners_) poller_.Forget(listener.get());
  paused_until_ = until;
}

void TcpServer::ResumeListeners(TimePoint now) {
  paused_until_ = TimePoint::max();
  if (!Start()) PauseListeners(now + kPause);
}

void TcpServer::OnClient(uint64_t number, uint32_t events, TimePoint now) {
  const auto found = clients_.find(number);
  if (found == clients_.end()) return;
  Client& client = found->second;
  if (events & (EPOLLERR | EPOLLHUP)) client.broken = true;
  if (events & EPOLLOUT) Write(client, now);
  if (events & EPOLLIN) Read(client);
  HandleInput(number, client, now);
  WatchWhatMatters(number, client);
}

void TcpServer::Read(Client& client) {
  std::array<uint8_t, kReadSize> bytes;
  const ssize_t count = recv(client.fd.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (count > 0) {
    client.input.insert(client.input.end(), bytes.begin(), bytes.begin() + count);
  } else if (count == 0) {
    client.at_end = true;
  } else if (!IsTransient(errno)) {
    client.broken = true;
  }
}

void TcpServer::HandleInput(uint64_t number, Client& client, TimePoint now) {
  std::span<const uint8_t> rest(client.input);
  while (!client.broken && client.unsent() < kBusyOutput && rest.size() >= 2) {
    const size_t size = FrameSize(rest);
    if (size > kMaxQuery) client.broken = true;
    if (size > kMaxQuery || rest.size() < 2 + size) break;
    client.last_progress = now;
    ++client.outstanding;
    if (!handler_(number, rest.subspan(2, size))) client.broken = true;
    rest = rest.subspan(2 + size);
  }
  client.stalled = client.unsent() >= kBusyOutput;
  const auto used = static_cast<ptrdiff_t>(client.input.size() - rest.size());
  client.input.erase(client.input.begin(), client.input.begin() + used);
}

void TcpServer::Send(uint64_t client, std::span<const uint8_t> reply, TimePoint now) {
  const auto found = clients_.find(client);
  if (found == clients_.end()) {
    ++counters_.unsent_replies;
    return;
  }
  Client& to = found->second;
  --to.outstanding;
  to.output.push_back(static_cast<uint8_t>(reply.size() >> 8U));
  to.output.push_back(static_cast<uint8_t>(reply.size() & 0xffU));
  to.output.insert(to.output.end(), reply.begin(), reply.end());
  Write(to, now);
  if (to.unsent() > kMaxOutput) to.broken = true;
  WatchWhatMatters(client, to);
}

void TcpServer::Write(Client& client, TimePoint now) {
  while (!client.broken && client.unsent() > 0) {
    const ssize_t count = send(client.fd.get(), &client.output[client.sent], client.unsent(),
                               MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0) {
      if (!IsTransient(errno)) client.broken = true;
      break;
    }
    client.sent += static_cast<size_t>(count);
    client.last_progress = now;
  }
  // What is sent goes at once, so that the buffer holds only what the client has not taken.
  client.output.erase(client.output.begin(),
                      client.output.begin() + static_cast<ptrdiff_t>(client.sent));
  client.sent = 0;
}

void TcpServer::WatchWhatMatters(uint64_t number, Client& client) {
  uint32_t events = 0;
  if (!client.at_end && !client.stalled) events |= EPOLLIN;
  if (client.stalled || client.unsent() > 0) events |= EPOLLOUT;
  if (events == client.watched || client.broken) return;
  client.watched = events;
  poller_.Change(client.fd.get(), events, {Source::kTcpClient, number});
}

TimePoint TcpServer::IdleAt(const Client& client) const {
  // Queries that wait for a server have an end of their own.
  if (client.outstanding > 0) return TimePoint::max();
  return client.last_progress + options_.tcp_idle_timeout;
}

void TcpServer::Sweep(TimePoint now) {
  std::erase_if(clients_, [this, now](const auto& one) {
    const Client& client = one.second;
    const bool idle = IdleAt(client) <= now;
    counters_.tcp_clients_broken += client.broken ? 1 : 0;
    counters_.tcp_clients_idle += !client.broken && idle ? 1 : 0;
    const bool done = client.at_end && client.outstanding == 0 && client.unsent() == 0;
    return client.broken || idle || done;
  });
  if (paused_until_ <= now) ResumeListeners(now);
}

TimePoint TcpServer::NextDeadline() const {
  TimePoint next = paused_until_;
  for (const auto& [number, client] : clients_) next = std::min(next, IdleAt(client));
  return next;
}

}  // namespace palyra::broker
