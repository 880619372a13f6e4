// DNS over TCP (RFC 7766) for clients.

#ifndef PALYRA_BROKER_TCP_SERVER_H_
#define PALYRA_BROKER_TCP_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/unique_fd.h"
#include "broker/poller.h"
#include "broker/resolver_options.h"

namespace palyra::broker {

// Messages are framed by two bytes of length. A client may send any number of queries at once, in
// any pieces; one that does not take its replies is not read from, and in the end closed.
class TcpServer {
 public:
  // Takes one query. False if it has no reply: the client is closed.
  using Handler = std::function<bool(uint64_t client, std::span<const uint8_t> packet)>;

  // All references must outlive it. `listeners` are bound and listen.
  TcpServer(std::vector<UniqueFd> listeners, const ResolverOptions& options, Poller& poller,
            ResolverCounters& counters, Handler handler);

  // Begins to watch the listeners; false if the kernel has no room for it.
  [[nodiscard]] bool Start();

  void OnListener(uint64_t number, TimePoint now);
  void OnClient(uint64_t number, uint32_t events, TimePoint now);

  // Sends one reply to a client; once it is gone, nothing. `reply` is at most 65,535 bytes.
  void Send(uint64_t client, std::span<const uint8_t> reply, TimePoint now);

  // Closes clients that are done, broken or idle. Called after events, and at NextDeadline().
  void Sweep(TimePoint now);

  // When a client will be idle, or TimePoint::max().
  [[nodiscard]] TimePoint NextDeadline() const;

 private:
  struct Client {
    UniqueFd fd;
    std::vector<uint8_t> input;   // At most a query that is not whole, and what came with it.
    std::vector<uint8_t> output;  // From `sent` on to be sent.
    size_t sent = 0;
    size_t outstanding = 0;  // Queries without a reply.
    TimePoint last_progress;
    bool stalled = false;  // There may be queries in `input` that wait for room in `output`.
    bool at_end = false;   // It will send nothing more.
    bool broken = false;
    uint32_t watched = 0;  // What the poller reports.

    [[nodiscard]] size_t unsent() const { return output.size() - sent; }
  };

  void Accept(int listener, TimePoint now);
  static void Read(Client& client);
  // The queries that are whole, as long as the client takes the replies.
  void HandleInput(uint64_t number, Client& client, TimePoint now);
  static void Write(Client& client, TimePoint now);
  void WatchWhatMatters(uint64_t number, Client& client);
  void PauseListeners(TimePoint until);
  void ResumeListeners(TimePoint now);
  [[nodiscard]] TimePoint IdleAt(const Client& client) const;

  std::vector<UniqueFd> listeners_;
  const ResolverOptions& options_;
  Poller& poller_;
  ResolverCounters& counters_;
  Handler handler_;
  std::unordered_map<uint64_t, Client> clients_;
  uint64_t next_number_ = 0;
  TimePoint paused_until_ = TimePoint::max();  // Of listeners; max: they are watched.
};

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_TCP_SERVER_H_
