// What DNS messages say, as far as the resolver understands them (RFC 1035).
//
// The bytes themselves are read and written by libldns; dns_query.h, dns_response.h and dns_reply.h
// are the three kinds of messages.

#ifndef PALYRA_BROKER_DNS_MESSAGE_H_
#define PALYRA_BROKER_DNS_MESSAGE_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "broker/address.h"

namespace palyra::broker {

inline constexpr size_t kDnsHeaderSize = 12;

// What a UDP message may have without EDNS (RFC 1035 section 2.3.4).
inline constexpr uint16_t kPlainUdpSize = 512;

// What we say we take over UDP: no fragments on any usual path (DNS flag day 2020).
inline constexpr uint16_t kOwnUdpSize = 1232;

// Types that are treated as themselves; the rest is refused.
enum class RecordType : uint16_t {
  kA = 1,
  kCname = 5,
  kPtr = 12,
  kAaaa = 28,
  kSrv = 33,
  kSvcb = 64,
  kHttps = 65,
};

enum class Rcode : uint16_t {
  kNoError = 0,
  kFormatError = 1,
  kServerFailure = 2,
  kNameError = 3,  // NXDOMAIN
  kNotImplemented = 4,
  kRefused = 5,
  kBadVersion = 16,  // Of EDNS (RFC 6891 section 9)
};

// Why, for people who look with dig (RFC 8914).
enum class ExtendedError : uint16_t {
  kBlocked = 15,   // A rule of the one who runs the server
  kFiltered = 17,  // What was asked for is withheld
};

// Of class IN.
struct Question {
  std::string name;  // Canonical.
  RecordType type = RecordType::kA;

  bool operator==(const Question&) const = default;
};

// RFC 2782.
struct ServerRecord {
  uint16_t priority = 0;
  uint16_t weight = 0;
  uint16_t port = 0;
  std::string target;  // Canonical; empty: the service is not there.
};

// SVCB or HTTPS (RFC 9460).
struct ServiceRecord {
  uint16_t priority = 0;        // 0: an alias.
  std::string target;           // Canonical; empty: the owner of the record.
  std::vector<uint8_t> params;  // Only what has no address and no key in it, in wire form.
};

// What is known about a question: records of its type at the end of a chain of CNAMEs.
struct Answer {
  Rcode rcode = Rcode::kNoError;  // Or kNameError.
  // The targets of the CNAMEs, in order; the question's name is the owner of the first.
  std::vector<std::string> chain;
  std::vector<Address> addresses;
  std::vector<ServerRecord> servers;
  std::vector<ServiceRecord> services;
  // Owner of the SOA that came with a negative answer; empty: the root.
  std::optional<std::string> zone;
  // How long all of it holds: the least of the chain and the records or, without records, also what
  // the SOA says (RFC 2308 section 5), 0 if there is no SOA.
  std::chrono::seconds ttl{0};

  // Whether there is no record of the type that was asked for.
  [[nodiscard]] bool IsNegative(RecordType asked) const {
    return addresses.empty() && servers.empty() && services.empty() &&
           (asked != RecordType::kCname || chain.empty());
  }
};

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_DNS_MESSAGE_H_
