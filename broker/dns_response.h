// What servers answer us.

#ifndef PALYRA_BROKER_DNS_RESPONSE_H_
#define PALYRA_BROKER_DNS_RESPONSE_H_

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>

#include "broker/dns_message.h"

namespace palyra::broker {

// Bounds of an answer; what is more is cut.
inline constexpr size_t kMaxAddresses = 64;
inline constexpr size_t kMaxServices = 16;  // SRV, SVCB or HTTPS records

// A longer chain of CNAMEs is a fault.
inline constexpr size_t kMaxChain = 16;

enum class ResponseFault : uint8_t {
  // Not the answer to our question, whoever sent it: wait for the right one.
  kNotAResponse,   // Short, QR not set, another opcode.
  kWrongId,        //
  kWrongQuestion,  //
  // The answer, but of no use.
  kTruncated,     // Ask again over TCP.
  kServerFailed,  // An error code other than NXDOMAIN.
  kMalformed,     //
  kChainLoops,    // The CNAMEs lead back.
  kChainTooLong,  // More than kMaxChain.
};

// Whether a response with `fault` may be somebody else's, so that the right one can still come.
constexpr bool IsUnrelated(ResponseFault fault) { return fault <= ResponseFault::kWrongQuestion; }

// Reads `packet` as the response to the query `id` for `question`.
//
// Of the answer section only the chain of CNAMEs from the question's name, and the records of the
// asked type at its end, count; all else that a server adds is ignored. Names on the chain must be
// canonical. SRV, SVCB and HTTPS records with a target that is not are left out, and so are SVCB
// and HTTPS records whose mandatory parameters are not among those kept: alpn, no-default-alpn and
// port. Address hints and ECH keys go, for a client that used them would ask for no address.
std::expected<Answer, ResponseFault> ParseResponse(std::span<const uint8_t> packet, uint16_t id,
                                                   const Question& question);

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_DNS_RESPONSE_H_
