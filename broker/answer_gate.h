// What of an answer a client is told.

#ifndef PALYRA_BROKER_ANSWER_GATE_H_
#define PALYRA_BROKER_ANSWER_GATE_H_

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>

#include "broker/answer_cache.h"
#include "broker/dns_reply.h"
#include "broker/name_authority.h"
#include "broker/resolver_options.h"

namespace palyra::broker {

// Both arguments must outlive it.
class AnswerGate {
 public:
  AnswerGate(NameAuthority& authority, ResolverCounters& counters)
      : authority_(authority), counters_(counters) {}

  struct Passed {
    const ReplyRecords* records;         // Valid until the next call, or until `known` is gone.
    std::optional<ExtendedError> error;  // When something was left out.
    size_t addresses = 0;                // In them.
  };

  // Leaves out special addresses that the authority does not reveal, addresses that it does not
  // learn, and SRV, SVCB and HTTPS records that lead to names which it would not let the client
  // ask for. What passes has been learned for `ttl`.
  Passed Pass(const Question& question, const KnownAnswer& known, std::chrono::seconds ttl);

  // Whether the address records of localhost may be told; they are nobody's secret, so that only
  // Learn() decides.
  Passed PassLocal(const Question& question, const KnownAnswer& known, std::chrono::seconds ttl);

 private:
  Passed PassAddresses(const Question& question, const KnownAnswer& known, AddressSet candidates,
                       std::chrono::seconds ttl);
  AddressSet Revealed(const Question& question, std::span<const Address> addresses);
  AddressSet Learned(const Question& question, std::span<const Address> addresses,
                     AddressSet candidates, std::chrono::seconds ttl);
  Passed PassTargets(const Question& question, const KnownAnswer& known);

  NameAuthority& authority_;
  ResolverCounters& counters_;
  ReplyRecords rewritten_;
};

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_ANSWER_GATE_H_
