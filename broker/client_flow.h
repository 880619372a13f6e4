// The direction from the client to the upstream: bytes pass once they are checked, and not before.

#ifndef PALYRA_BROKER_CLIENT_FLOW_H_
#define PALYRA_BROKER_CLIENT_FLOW_H_

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/client_check.h"
#include "broker/flow.h"

namespace palyra::broker {

// Holds at most kLongestCheck bytes, beside what a Flow holds. Sockets as Flow has them.
class ClientFlow {
 public:
  using Verdict = ClientCheck::Verdict;

  // All must outlive the flow; `scratch` may be shared by flows of one thread.
  ClientFlow(RelayAuthority& authority, const Endpoint& destination, PipePool& pool,
             std::span<char> scratch)
      : check_(authority, destination), flow_(pool), scratch_(scratch) {}

  // Reads until the first bytes are decided on.
  //   kMore  the client has sent no more; `ended()` says whether it will
  //   kPass  connect now; from then on call Move()
  //   kDeny  nothing passes
  Verdict ReadFirst(int client);

  // Moves what is checked. A denial ends the direction as the client's own end would: the upstream
  // is told that nothing more comes, and gets nothing of what was denied. `denied()` then says why.
  FlowState Move(int client, int upstream);

  [[nodiscard]] const ClientCheck& check() const { return check_; }
  [[nodiscard]] std::vector<Endpoint> TakeAddresses() { return check_.TakeAddresses(); }
  // No client any more: its end, or its reset.
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] const std::optional<Verdict>& denied() const { return denied_; }
  // Bytes that were sent on.
  [[nodiscard]] uint64_t moved() const { return moved_ + flow_.moved(); }

 private:
  enum class Read : uint8_t { kSome, kNone, kEnd, kBroken };
  Read ReadSome(int client);
  Verdict Check();
  std::optional<FlowState> Send(int upstream);

  ClientCheck check_;
  Flow flow_;
  std::span<char> scratch_;
  std::string held_;
  size_t sent_ = 0;     // Of held_.
  size_t passed_ = 0;   // Of held_: checked, sent or not.
  uint64_t moved_ = 0;  // By Send().
  bool ended_ = false;
  std::optional<Verdict> denied_;
};

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_CLIENT_FLOW_H_
