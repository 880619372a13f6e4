// Asking the servers of the host.

#ifndef PALYRA_BROKER_UPSTREAM_H_
#define PALYRA_BROKER_UPSTREAM_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/unique_fd.h"
#include "broker/dns_message.h"
#include "broker/dns_response.h"
#include "broker/poller.h"
#include "broker/resolv_conf.h"
#include "broker/resolver_options.h"

namespace palyra::broker {

// Each try of a question has a UDP socket of its own, connected to the server, from a source port
// that the kernel picks at random, and a random id: what comes from elsewhere the kernel drops,
// and what has another id or question is dropped and counted (RFC 5452). A truncated response, or
// many of the wrong ones, makes it ask again over TCP. Servers take turns; the one that answered
// last is asked first.
class Upstream {
 public:
  // What came of a question: nullopt if no server answered.
  using Handler = std::function<void(const Question&, std::optional<Answer>)>;

  // All references must outlive it. There is at least one server.
  Upstream(std::vector<Endpoint> servers, const ResolverOptions& options, Poller& poller,
           ResolverCounters& counters, Handler handler);

  // Asks. The handler is never called before this returns.
  void Ask(const Question& question, TimePoint now);

  // Questions that are not answered yet.
  [[nodiscard]] size_t size() const { return exchanges_.size(); }

  void OnEvent(uint64_t number, uint32_t events, TimePoint now);

  // Tries again, or gives up, where the time for a try is over.
  void Sweep(TimePoint now);

  // When Sweep() is to be called, or TimePoint::max().
  [[nodiscard]] TimePoint NextDeadline() const { return next_deadline_; }

 private:
  // One try: its number is that of the poller.
  struct Exchange {
    Question question;
    size_t tries = 0;   // That failed.
    size_t server = 0;  // Index of the one that is asked now.
    bool over_tcp = false;
    uint16_t id = 0;
    UniqueFd fd;
    size_t wrong = 0;  // Responses to other queries than ours.
    TimePoint deadline;
    std::vector<uint8_t> output;  // Over TCP: what is still to be sent.
    std::vector<uint8_t> input;   // Over TCP: what has come of the response.
  };

  // All of these may end the exchange; then the reference is gone.
  void Try(Exchange exchange, TimePoint now);
  void TryNext(Exchange exchange, TimePoint now);
  void ReadUdp(uint64_t number, Exchange& exchange, TimePoint now);
  void ContinueTcp(uint64_t number, Exchange& exchange, TimePoint now);
  void ReadTcp(uint64_t number, Exchange& exchange, TimePoint now);
  // False if the response was not the one that is waited for.
  bool TakeResponse(uint64_t number, std::span<const uint8_t> packet, TimePoint now);
  void Count(ResponseFault fault);

  bool Open(Exchange& exchange);
  Exchange Remove(uint64_t number);

  std::vector<Endpoint> servers_;
  const ResolverOptions& options_;
  Poller& poller_;
  ResolverCounters& counters_;
  Handler handler_;
  std::unordered_map<uint64_t, Exchange> exchanges_;
  uint64_t next_number_ = 0;
  size_t preferred_ = 0;                        // Index of the server that is asked first.
  TimePoint next_deadline_ = TimePoint::max();  // Not after the first deadline there is.
};

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_UPSTREAM_H_
