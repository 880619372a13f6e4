// The relay: connections of sandboxed clients that the kernel redirects here, because a rule needs
// the name that the client asks for. It reads the name from the first bytes (TLS, or plain HTTP),
// asks whether the run may reach it, connects itself to that name, and carries the bytes.
//
// Nothing that a client sends reaches any upstream before it is checked. What is checked and what
// cannot be is said in client_check.h. A denied client gets an alert of TLS or a response of HTTP
// that says why, then the end of its connection; the authority gets an event for each decision.

#ifndef PALYRA_BROKER_RELAY_H_
#define PALYRA_BROKER_RELAY_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "broker/connection.h"
#include "broker/pipe_pool.h"
#include "broker/relay_authority.h"
#include "broker/relay_options.h"
#include "broker/relay_ring.h"

namespace palyra::broker {

// What a relay hears of whom it relays for. -1: nothing.
struct RelayOwner {
  int life = -1;     // A socket whose other end is gone when the owner is.
  int changed = -1;  // A socket of SOCK_SEQPACKET. Of each message: the authority would answer
                     // otherwise than it has. Connections are asked about again, those that it
                     // denies now are reset, and then the message is sent back.
};

class Relay {
 public:
  // `listeners` are TCP sockets that listen already, possibly in another network namespace; the
  // relay connects from the namespace of Run()'s thread. `authority` must outlive the relay.
  // kInvalidArgument without a listener or with more than kMostListeners; kUnsupported without
  // io_uring. When the relay ends, what the calling thread waits in may return EINTR once.
  static Result<std::unique_ptr<Relay>> Create(std::vector<UniqueFd> listeners,
                                               RelayAuthority& authority,
                                               const RelayOptions& options = {});
  static constexpr size_t kMostListeners = 8;
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  ~Relay();

  // What Run() begins with, for callers that give something up between: from then on the ring is
  // of this thread, and io_uring_enter(2) is the one call of io_uring that is needed.
  Result<void> Start();

  // Serves until Stop(), or until the owner is gone; then all connections are reset. Only once.
  // Calls the authority. SIGPIPE is blocked for the calling thread meanwhile. An error is one of
  // io_uring itself.
  Result<void> Run(const RelayOwner& owner = {});

  // Ends Run() soon, also one that has not begun. Any thread; safe in a signal handler.
  void Stop();

  // Connections at this moment. Any thread.
  [[nodiscard]] size_t open_connections() const { return open_connections_; }

 private:
  struct Listener {
    UniqueFd fd;
    bool accepting = false;
    RelayClock::time_point accept_at;  // If it is not.
  };

  Relay(std::vector<Listener> listeners, UniqueFd stop, std::unique_ptr<RelayRing> ring,
        RelayAuthority& authority, const RelayOptions& options);

  void AcceptAgain();
  void AskAgain();
  void Serve(const RelayRing::Completion& completion);
  void AfterAccept(Listener& listener, const RelayRing::Completion& completion);
  void Admit(UniqueFd client);
  void Settle(uint64_t number);
  void PassDeadlines();
  [[nodiscard]] std::chrono::milliseconds UntilDeadline() const;

  std::vector<Listener> listeners_;
  UniqueFd stop_;  // An eventfd.
  int changed_ = -1;
  RelayOptions options_;
  std::unique_ptr<RelayRing> ring_;
  PipePool pipes_;
  std::vector<char> scratch_;
  RelayContext context_;
  std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections_;  // By number.
  uint64_t last_number_;
  RelayClock::time_point next_deadline_;
  bool started_ = false;
  bool stopped_ = false;
  std::atomic<size_t> open_connections_ = 0;
};

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_RELAY_H_
