// Queries of clients whose question is on the way to the servers.

#ifndef PALYRA_BROKER_WAITING_QUERIES_H_
#define PALYRA_BROKER_WAITING_QUERIES_H_

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "broker/answer_cache.h"
#include "broker/dns_query.h"
#include "broker/socket_address.h"

namespace palyra::broker {

// Who a reply goes to.
struct ClientRef {
  bool over_tcp = false;
  uint64_t number = 0;  // Of the client of the TCP server, or of the UDP listener.
  SocketAddress peer;   // Over UDP.

  bool operator==(const ClientRef&) const = default;
};

// A query that outlives its packet.
class HeldQuery {
 public:
  HeldQuery(const ClientRef& client, const Query& query);
  HeldQuery(HeldQuery&&) noexcept = default;
  HeldQuery& operator=(HeldQuery&&) noexcept = default;
  HeldQuery(const HeldQuery&) = delete;
  HeldQuery& operator=(const HeldQuery&) = delete;
  ~HeldQuery() = default;

  [[nodiscard]] const ClientRef& client() const { return client_; }
  [[nodiscard]] const Query& query() const { return query_; }

 private:
  ClientRef client_;
  std::vector<uint8_t> wire_;  // What query_.wire refers to.
  Query query_;
};

// Bounded in questions and in queries. Not thread-safe.
class WaitingQueries {
 public:
  WaitingQueries(size_t max_questions, size_t max_queries)
      : max_questions_(max_questions), max_queries_(max_queries) {}

  enum class Added : uint8_t {
    kFirst,      // Nobody has asked that question: now it must be asked.
    kJoined,     // Somebody has.
    kDuplicate,  // This very client has, over UDP, with the same id: it sent it again. Not kept.
    kFull,       // Not kept.
  };
  Added Add(const ClientRef& client, const Query& query);

  // Gives those that wait for an answer to `question`, and forgets them.
  std::vector<HeldQuery> Take(const Question& question);

 private:
  size_t max_questions_;
  size_t max_queries_;
  size_t queries_ = 0;
  std::unordered_map<Question, std::vector<HeldQuery>, QuestionHash> by_question_;
};

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_WAITING_QUERIES_H_
