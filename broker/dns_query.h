// Questions: what clients ask us, and what we ask servers.

#ifndef PALYRA_BROKER_DNS_QUERY_H_
#define PALYRA_BROKER_DNS_QUERY_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "broker/dns_message.h"

namespace palyra::broker {

enum class QueryFault : uint8_t {
  kNone,
  kShort,            // Less than a header: nobody to answer. Dropped.
  kIsResponse,       // Answering answers makes loops. Dropped.
  kOpcode,           // NOTIFY, UPDATE …: NOTIMP.
  kMalformed,        // FORMERR: not one question, other records than one OPT, bytes left over.
  kEdnsVersion,      // BADVERS.
  kClass,            // Not IN: REFUSED.
  kNameNotCanonical  // No host has such a name: NXDOMAIN.
};

// How a query with `fault` is answered; nullopt if not at all.
std::optional<Rcode> RcodeOf(QueryFault fault);

// As far as it was read before `fault`. Valid as long as the packet is.
struct Query {
  QueryFault fault = QueryFault::kNone;
  uint16_t id = 0;
  bool recursion_desired = false;
  bool checking_disabled = false;
  Question question;              // `type` may be one that RecordType has no name for.
  std::span<const uint8_t> wire;  // The question section as the client wrote it.
  bool edns = false;
  uint16_t udp_size = kPlainUdpSize;  // What the client takes over UDP; at least 512.
};

// Reads what a client sent, of any content.
Query ParseQuery(std::span<const uint8_t> packet);

// A query to a server, of a type that RecordType has a name for. Only `id` and `question` are in
// it: there is no other way for bytes of the client to leave. `edns` asks for answers of
// kOwnUdpSize.
std::vector<uint8_t> EncodeQuery(uint16_t id, const Question& question, bool edns);

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_DNS_QUERY_H_
