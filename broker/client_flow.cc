#include "broker/client_flow.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace palyra::broker {

ClientFlow::Read ClientFlow::ReadSome(int client) {
  // There is room: a check that has seen kLongestCheck bytes wants no more.
  const size_t room = std::min(scratch_.size(), kLongestCheck - held_.size());
  const ssize_t size = recv(client, scratch_.data(), room, MSG_DONTWAIT);
  if (size < 0) {
    if (errno == EAGAIN || errno == EINTR) return Read::kNone;
    ended_ = true;
    return Read::kBroken;
  }
  if (size == 0) {
    ended_ = true;
    return Read::kEnd;
  }
  held_.append(scratch_.data(), static_cast<size_t>(size));
  return Read::kSome;
}

ClientFlow::Verdict ClientFlow::Check() {
  const Verdict verdict = check_.Check(std::string_view(held_).substr(passed_));
  if (verdict.kind == ClientCheck::Kind::kPass) passed_ += verdict.size;
  if (verdict.kind == ClientCheck::Kind::kDeny) denied_ = verdict;
  return verdict;
}

ClientFlow::Verdict ClientFlow::ReadFirst(int client) {
  while (ReadSome(client) == Read::kSome) {
    const Verdict verdict = Check();
    if (verdict.kind != ClientCheck::Kind::kMore) return verdict;
  }
  return {};
}

// nullopt: all that has passed is sent.
std::optional<FlowState> ClientFlow::Send(int upstream) {
  while (sent_ < passed_) {
    const ssize_t size =
        send(upstream, held_.data() + sent_, passed_ - sent_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return FlowState::kWantsWrite;
    if (size < 0) return FlowState::kBroken;
    sent_ += static_cast<size_t>(size);
    moved_ += static_cast<uint64_t>(size);
  }
  held_.erase(0, passed_);
  sent_ = 0;
  passed_ = 0;
  // One that waits needs no memory.
  if (held_.empty()) held_ = {};
  return std::nullopt;
}

FlowState ClientFlow::Move(int client, int upstream) {
  bool probably_all = false;
  for (int turn = 0; turn < kTurns; ++turn) {
    while (!check_.opaque() && !denied_) {
      if (Check().kind != ClientCheck::Kind::kPass) break;
    }
    if (const auto waits = Send(upstream)) return *waits;
    if (check_.opaque()) return flow_.Move(client, upstream);
    if (denied_) {
      shutdown(upstream, SHUT_WR);
      return FlowState::kEnded;
    }
    // What is read now is looked at in the next turn.
    if (turn + 1 == kTurns || probably_all) break;
    const size_t before = held_.size();
    switch (ReadSome(client)) {
      case Read::kSome:
        probably_all = held_.size() - before < kProbablyAll;
        break;
      case Read::kNone:
        return FlowState::kWantsRead;
      case Read::kEnd:
        shutdown(upstream, SHUT_WR);
        return FlowState::kEnded;
      case Read::kBroken:
        return FlowState::kBroken;
    }
  }
  return FlowState::kWantsRead;
}

}  // namespace palyra::broker
