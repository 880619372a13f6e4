// How the resolver behaves, and what it counts.

#ifndef PALYRA_BROKER_RESOLVER_OPTIONS_H_
#define PALYRA_BROKER_RESOLVER_OPTIONS_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace palyra::broker {

using TimePoint = std::chrono::steady_clock::time_point;

struct ResolverOptions {
  // For one try at one server; `attempts` rounds over all servers, the second and later ones
  // without EDNS, which some servers do not bear.
  std::chrono::milliseconds upstream_timeout{1500};
  int attempts = 2;

  // What clients are told, and how long the cache keeps it, whatever servers say.
  std::chrono::seconds min_ttl{1};
  std::chrono::seconds max_ttl{3600};
  std::chrono::seconds max_negative_ttl{60};

  size_t cache_entries = 4096;
  size_t cache_bytes = size_t{8} << 20;

  size_t max_in_flight = 256;  // Questions that servers have not answered yet.
  size_t max_waiting = 1024;   // Queries that wait for these.

  size_t max_tcp_clients = 32;
  std::chrono::milliseconds tcp_idle_timeout{10'000};

  // Where set, answers come only from what these names led to when Resolver::Preflight() asked.
  std::optional<std::vector<std::string>> pins = std::nullopt;

  std::function<TimePoint()> now = std::chrono::steady_clock::now;
};

// Each query is in exactly one of the first two and, unless it was dropped, one of the groups after
// them; what follows them counts events.
struct ResolverCounters {
  uint64_t udp_queries = 0;
  uint64_t tcp_queries = 0;

  // Refused for what they are.
  uint64_t dropped_short = 0;
  uint64_t dropped_responses = 0;
  uint64_t not_implemented = 0;
  uint64_t malformed_queries = 0;
  uint64_t bad_edns_versions = 0;
  uint64_t wrong_classes = 0;
  uint64_t bad_names = 0;      // Not canonical.
  uint64_t refused_types = 0;  // Not one that is forwarded.
  uint64_t denied_names = 0;   // MayAsk() said no.

  // Answered.
  uint64_t local_names = 0;
  uint64_t cache_hits = 0;
  uint64_t pinned_answers = 0;
  uint64_t forwarded = 0;   // Began a question to the servers.
  uint64_t joined = 0;      // Waited for one that had begun.
  uint64_t duplicates = 0;  // Sent again by a client that waits already. Dropped.
  uint64_t overloaded = 0;  // max_in_flight or max_waiting: SERVFAIL.

  // Of servers.
  uint64_t upstream_udp = 0;  // Queries sent.
  uint64_t upstream_tcp = 0;
  uint64_t upstream_timeouts = 0;
  uint64_t upstream_errors = 0;  // Sockets: refused, unreachable, closed early.
  uint64_t answers = 0;
  uint64_t unrelated_responses = 0;  // No response at all, or to another question. Dropped.
  uint64_t wrong_ids = 0;            // The same for another id: perhaps forged.
  uint64_t truncated_responses = 0;
  uint64_t failure_responses = 0;
  uint64_t malformed_responses = 0;
  uint64_t bad_chains = 0;  // CNAMEs that loop or are too many.
  uint64_t unanswered = 0;  // Questions that no server answered: SERVFAIL.

  // Left out of replies.
  uint64_t special_addresses = 0;    // MayReveal() said no.
  uint64_t unlearned_addresses = 0;  // Learn() said no.
  uint64_t denied_targets = 0;       // Of SRV, SVCB and HTTPS records.

  // Of sockets to clients.
  uint64_t unsent_replies = 0;  // The client, or its buffer, was gone or full.
  uint64_t tcp_clients = 0;
  uint64_t tcp_clients_refused = 0;  // max_tcp_clients.
  uint64_t tcp_clients_idle = 0;     // Closed for it.
  uint64_t tcp_clients_broken = 0;   // Closed for what they sent, or did not take.
};

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_RESOLVER_OPTIONS_H_
