// One connection of a sandboxed client through the relay.

#ifndef PALYRA_BROKER_CONNECTION_H_
#define PALYRA_BROKER_CONNECTION_H_

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "broker/client_flow.h"
#include "broker/flow.h"
#include "broker/pipe_pool.h"
#include "broker/relay_authority.h"
#include "broker/relay_options.h"
#include "broker/relay_ring.h"

namespace palyra::broker {

using RelayClock = std::chrono::steady_clock;

// What connections share: all of it outlives them, and is of one thread.
struct RelayContext {
  RelayAuthority& authority;
  const RelayOptions& options;
  RelayRing& ring;
  PipePool& pipes;
  std::span<char> scratch;
  RelayClock::time_point now;  // When the completions at hand came.
};

class Connection {
 public:
  // What completions are for; a connection has one tag for each.
  enum class Watch : uint8_t { kClientRead, kClientWrite, kUpstreamRead, kUpstreamWrite };
  static constexpr unsigned kWatches = 4;

  // `first_tag` and the kWatches - 1 tags behind it are this connection's.
  Connection(UniqueFd client, const Endpoint& client_endpoint, const Endpoint& destination,
             uint64_t first_tag, RelayContext& context);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  // Waits for the first bytes.
  void Start();

  void OnReady(Watch watch, int events);

  // deadline() has passed.
  void OnDeadline();

  [[nodiscard]] RelayClock::time_point deadline() const { return deadline_; }

  // The authority would answer otherwise: cuts off both sides if it denies the name now where the
  // client wanted to go, or where it was connected to.
  void AskAgain();

  // Cuts off both sides.
  void Abort() { Reset(); }

  // Nothing is left to do: to be destroyed.
  [[nodiscard]] bool closed() const { return state_ == State::kClosed; }

 private:
  enum class State : uint8_t {
    kFirstBytes,
    kConnecting,
    kRelaying,
    kRefusing,  // The client is told why, and what it still sends is thrown away.
    kClosed,
  };

  void Arm(Watch watch);
  [[nodiscard]] const UniqueFd& SocketOf(Watch watch) const;
  void SetDeadline(std::chrono::milliseconds from_now) { deadline_ = context_.now + from_now; }

  void ReadFirstBytes();
  void Deny(RelayReason reason, std::string_view detail);
  void Refuse(RelayReason reason, std::string_view detail);
  void Discard();
  void BeginConnecting();
  void ConnectNext();
  void FinishConnecting();
  void Fail(RelayReason reason);
  void Carry(bool up);
  void RelayUp();
  void RelayDown();
  void AfterMove(FlowState state, Watch read, Watch write, bool& ended);
  void Finish();
  void Reset();
  [[nodiscard]] bool MayReach(const Endpoint& endpoint) const;
  void Tell(RelayEvent::Outcome outcome, RelayReason reason, std::string_view detail) const;

  RelayContext& context_;
  UniqueFd client_;
  UniqueFd upstream_;
  Endpoint client_endpoint_;
  Endpoint destination_;
  uint64_t first_tag_;
  State state_ = State::kFirstBytes;
  std::array<bool, kWatches> armed_ = {};
  RelayClock::time_point deadline_;
  std::vector<Endpoint> addresses_;  // Not yet tried, the best last.
  Endpoint upstream_endpoint_;       // Tried last; before the first, as destination_.
  ClientFlow up_;
  Flow down_;
  bool up_ended_ = false;
  bool down_ended_ = false;
  size_t discarded_ = 0;
};

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_CONNECTION_H_
