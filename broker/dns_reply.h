// What we answer clients.

#ifndef PALYRA_BROKER_DNS_REPLY_H_
#define PALYRA_BROKER_DNS_REPLY_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "broker/dns_message.h"
#include "broker/dns_query.h"

namespace palyra::broker {

// What TCP can frame.
inline constexpr size_t kMaxTcpSize = 65535;

// The records of a reply in wire form: all but what differs from client to client.
class ReplyRecords {
 public:
  // None at all.
  ReplyRecords() = default;

  // Those of `answer` to `question`: the chain, the records, and for a negative answer with a zone
  // an SOA of that zone that says nothing but how long the answer holds.
  ReplyRecords(const Question& question, const Answer& answer);

  [[nodiscard]] size_t size() const { return bytes_.size(); }

 private:
  friend struct ReplyWriter;

  std::vector<uint8_t> bytes_;  // Names point into the question of any client: it has one length.
  std::vector<uint16_t> ttls_;  // Where TTLs are, in bytes_.
  std::vector<uint16_t> negative_ttls_;  // Where the minimum of an SOA is.
  uint16_t answers_ = 0;
  uint16_t authorities_ = 0;
};

struct ReplyFields {
  Rcode rcode = Rcode::kNoError;
  std::chrono::seconds ttl{0};                        // Of every record.
  std::optional<ExtendedError> error = std::nullopt;  // Only clients with EDNS see it.
};

// Replaces `reply` by the reply to `query`: its id and flags, its question byte by byte as the
// client wrote it, `records`, and an OPT record if the client sent one. `records` must be of this
// question, or empty. What would have more than `limit` bytes is the question alone, with TC set.
void WriteReply(const Query& query, const ReplyRecords& records, const ReplyFields& fields,
                size_t limit, std::vector<uint8_t>& reply);

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_DNS_REPLY_H_
