#include "broker/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "broker/socket_address.h"

namespace palyra::broker {
namespace {

using Watch = Connection::Watch;

// What a denied client may send before it is reset.
constexpr size_t kMostDiscarded = size_t{1024} * 1024;

bool IsRead(Watch watch) { return watch == Watch::kClientRead || watch == Watch::kUpstreamRead; }

// Peers wait for what they have not got, and the relay adds no delay of its own.
void SendAtOnce(int fd) {
  const int on = 1;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

// As connect(2) says of AF_UNSPEC; TCP then sends a reset and forgets what it had to send.
void Disconnect(const UniqueFd& fd) {
  const sockaddr none = {.sa_family = AF_UNSPEC, .sa_data = {}};
  if (fd.valid()) (void)connect(fd.get(), &none, sizeof(none));
}

// Closing tells the peer that the stream was cut off.
void ResetOnClose(const UniqueFd& fd) {
  const linger now = {.l_onoff = 1, .l_linger = 0};
  if (fd.valid()) (void)setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

}  // namespace

Connection::Connection(UniqueFd client, const Endpoint& client_endpoint,
                       const Endpoint& destination, uint64_t first_tag, RelayContext& context)
    : context_(context),
      client_(std::move(client)),
      client_endpoint_(client_endpoint),
      destination_(destination),
      first_tag_(first_tag),
      upstream_endpoint_(destination),
      up_(context.authority, destination, context.pipes, context.scratch),
      down_(context.pipes) {
  SendAtOnce(client_.get());
}

Connection::~Connection() {
  context_.ring.Close(std::move(client_));
  context_.ring.Close(std::move(upstream_));
}

const UniqueFd& Connection::SocketOf(Watch watch) const {
  return watch == Watch::kClientRead || watch == Watch::kClientWrite ? client_ : upstream_;
}

void Connection::Arm(Watch watch) {
  bool& armed = armed_.at(static_cast<size_t>(watch));
  if (armed) return;
  armed = true;
  context_.ring.Poll(SocketOf(watch).get(), IsRead(watch) ? POLLIN : POLLOUT,
                     first_tag_ + static_cast<uint64_t>(watch));
}

void Connection::Start() {
  SetDeadline(context_.options.first_bytes_timeout);
  Arm(Watch::kClientRead);
}

void Connection::OnReady(Watch watch, int events) {
  // Of a socket that this connection has closed.
  if (events == -ECANCELED) return;
  armed_.at(static_cast<size_t>(watch)) = false;
  // io_uring wakes writers, too, once the peer has ended its own direction, and would do so again
  // and again while there is no room.
  if (events > 0 && !IsRead(watch) && (events & (POLLOUT | POLLERR | POLLHUP)) == 0) {
    armed_.at(static_cast<size_t>(watch)) = true;
    context_.ring.Pause(first_tag_ + static_cast<uint64_t>(watch));
    return;
  }
  switch (state_) {
    case State::kFirstBytes:
      ReadFirstBytes();
      return;
    case State::kConnecting:
      FinishConnecting();
      return;
    case State::kRelaying:
      Carry(watch == Watch::kClientRead || watch == Watch::kUpstreamWrite);
      return;
    case State::kRefusing:
      Discard();
      return;
    case State::kClosed:
      return;
  }
}

void Connection::OnDeadline() {
  switch (state_) {
    case State::kFirstBytes:
      Deny(RelayReason::kNoFirstBytes, "");
      return;
    case State::kConnecting:
      ConnectNext();
      return;
    case State::kRelaying:
    case State::kRefusing:
      Reset();
      return;
    case State::kClosed:
      return;
  }
}

bool Connection::MayReach(const Endpoint& endpoint) const {
  return context_.authority.Reach(up_.check().name(), endpoint).has_value();
}

// Where the name leads to is not where the client wanted to go: rules may speak of either address.
void Connection::AskAgain() {
  if (state_ != State::kConnecting && state_ != State::kRelaying) return;
  std::erase_if(addresses_, [this](const Endpoint& endpoint) { return !MayReach(endpoint); });
  const bool is_elsewhere = upstream_endpoint_ != destination_;
  if (MayReach(destination_) && (!is_elsewhere || MayReach(upstream_endpoint_))) return;
  Tell(RelayEvent::Outcome::kDenied, RelayReason::kNameNotAllowed, "");
  // At once, and not when the ring comes to it: nothing that waits to be sent may leave any more.
  Disconnect(client_);
  Disconnect(upstream_);
  Reset();
}

void Connection::Tell(RelayEvent::Outcome outcome, RelayReason reason,
                      std::string_view detail) const {
  context_.authority.Record({.outcome = outcome,
                             .reason = reason,
                             .detail = detail,
                             .name = up_.check().name(),
                             .client = client_endpoint_,
                             .destination = destination_});
}

void Connection::ReadFirstBytes() {
  const ClientCheck::Verdict verdict = up_.ReadFirst(client_.get());
  switch (verdict.kind) {
    case ClientCheck::Kind::kMore:
      if (up_.ended()) {
        Deny(RelayReason::kNoFirstBytes, "");
        return;
      }
      Arm(Watch::kClientRead);
      return;
    case ClientCheck::Kind::kDeny:
      Deny(verdict.reason, verdict.detail);
      return;
    case ClientCheck::Kind::kPass:
      Tell(RelayEvent::Outcome::kAllowed, RelayReason::kNone, "");
      BeginConnecting();
      return;
  }
}

void Connection::Deny(RelayReason reason, std::string_view detail) {
  Tell(RelayEvent::Outcome::kDenied, reason, detail);
  Refuse(reason, detail);
}

void Connection::Fail(RelayReason reason) {
  Tell(RelayEvent::Outcome::kFailed, reason, "");
  Refuse(reason, "");
}

// A close while unread bytes are there would reset the connection, and with it the reply.
void Connection::Refuse(RelayReason reason, std::string_view detail) {
  const std::string reply = up_.check().ReplyTo(reason, detail);
  if (reply.empty()) {
    Reset();
    return;
  }
  const ssize_t sent = send(client_.get(), reply.data(), reply.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (std::cmp_not_equal(sent, reply.size())) {
    Reset();
    return;
  }
  shutdown(client_.get(), SHUT_WR);
  state_ = State::kRefusing;
  SetDeadline(context_.options.refusal_timeout);
  Discard();
}

void Connection::Discard() {
  ssize_t size = 0;
  do {
    size = recv(client_.get(), context_.scratch.data(), context_.scratch.size(), MSG_DONTWAIT);
    if (size > 0) discarded_ += static_cast<size_t>(size);
  } while (size > 0 && discarded_ < kMostDiscarded);
  if (size > 0) {
    Reset();
    return;
  }
  if (size < 0 && errno == EAGAIN) {
    Arm(Watch::kClientRead);
    return;
  }
  state_ = State::kClosed;
}

void Connection::BeginConnecting() {
  state_ = State::kConnecting;
  addresses_ = up_.TakeAddresses();
  if (addresses_.empty()) {
    Fail(RelayReason::kNoAddress);
    return;
  }
  if (addresses_.size() > kMostAddresses) {
    addresses_.erase(addresses_.begin() + kMostAddresses, addresses_.end());
  }
  std::ranges::reverse(addresses_);
  ConnectNext();
}

void Connection::ConnectNext() {
  while (!addresses_.empty()) {
    upstream_endpoint_ = addresses_.back();
    addresses_.pop_back();
    context_.ring.Close(std::move(upstream_));
    armed_.at(static_cast<size_t>(Watch::kUpstreamWrite)) = false;
    const SocketAddress address(upstream_endpoint_);
    upstream_ = UniqueFd(socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!upstream_.valid()) continue;
    SendAtOnce(upstream_.get());
    if (connect(upstream_.get(), address.get(), address.size()) != 0 && errno != EINPROGRESS) {
      continue;
    }
    SetDeadline(context_.options.connect_timeout);
    Arm(Watch::kUpstreamWrite);
    return;
  }
  Fail(RelayReason::kUnreachable);
}

void Connection::FinishConnecting() {
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(upstream_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
    ConnectNext();
    return;
  }
  // What came may have been of the socket before.
  if (!PeerOf(upstream_.get())) {
    Arm(Watch::kUpstreamWrite);
    return;
  }
  state_ = State::kRelaying;
  addresses_ = {};
  SetDeadline(context_.options.idle_timeout);
  RelayUp();
  if (state_ == State::kRelaying) RelayDown();
}

void Connection::Carry(bool up) {
  const uint64_t moved = up_.moved() + down_.moved();
  if (up) {
    RelayUp();
  } else {
    RelayDown();
  }
  if (state_ == State::kRelaying && up_.moved() + down_.moved() != moved) {
    SetDeadline(context_.options.idle_timeout);
  }
}

void Connection::RelayUp() {
  if (up_ended_) return;
  const FlowState moved = up_.Move(client_.get(), upstream_.get());
  if (moved == FlowState::kEnded && up_.denied()) {
    Tell(RelayEvent::Outcome::kDenied, up_.denied()->reason, up_.denied()->detail);
  }
  AfterMove(moved, Watch::kClientRead, Watch::kUpstreamWrite, up_ended_);
}

void Connection::RelayDown() {
  if (down_ended_) return;
  AfterMove(down_.Move(upstream_.get(), client_.get()), Watch::kUpstreamRead, Watch::kClientWrite,
            down_ended_);
}

void Connection::AfterMove(FlowState state, Watch read, Watch write, bool& ended) {
  switch (state) {
    case FlowState::kWantsRead:
      Arm(read);
      return;
    case FlowState::kWantsWrite:
      Arm(write);
      return;
    case FlowState::kEnded:
      ended = true;
      if (up_ended_ && down_ended_) Finish();
      return;
    case FlowState::kBroken:
      Reset();
      return;
  }
}

void Connection::Finish() {
  state_ = State::kClosed;
  if (!up_.denied()) return;
  // What was denied is partly unread.
  state_ = State::kRefusing;
  SetDeadline(context_.options.refusal_timeout);
  Discard();
}

void Connection::Reset() {
  ResetOnClose(client_);
  ResetOnClose(upstream_);
  state_ = State::kClosed;
}

}  // namespace palyra::broker
