// What the rules say about names; the side of the resolver that somebody else implements.

#ifndef PALYRA_BROKER_NAME_AUTHORITY_H_
#define PALYRA_BROKER_NAME_AUTHORITY_H_

#include <bitset>
#include <chrono>
#include <cstdint>
#include <span>
#include <string_view>

#include "broker/address.h"
#include "broker/dns_response.h"

namespace palyra::broker {

// By the index in the addresses of an answer.
using AddressSet = std::bitset<kMaxAddresses>;

// What came of a name that was resolved before the run, the worst first.
enum class NameOutcome : uint8_t {
  kNotFound,   // NXDOMAIN
  kNoAddress,  // It has none.
  kNoAnswer,   // No server answered.
  kWithheld,   // None of its addresses was learned.
  kPinned,     // At least one was.
};

// Called by the resolver's thread only, which waits meanwhile. Names are canonical.
class NameAuthority {
 public:
  virtual ~NameAuthority() = default;

  // Whether some rule could allow to reach `name`. Called for the name of each query, cached or
  // not, and for each name that an answer would send the client to.
  virtual bool MayAsk(std::string_view name) = 0;

  // Whether a rule permits the special address (IsSpecial) itself, so that an answer may hold it.
  virtual bool MayReveal(std::string_view name, const Address& address) = 0;

  // Called with the addresses of one answer, at most kMaxAddresses, before the reply that holds
  // them leaves, and again for each reply from the cache. `name` is the one that was asked,
  // whatever CNAMEs came after it; `ttl` is what the client is told. Gives those that may be told:
  // the others are left out of the reply (the table is full, the address is denied).
  virtual AddressSet Learn(std::string_view name, std::span<const Address> addresses,
                           std::chrono::seconds ttl) = 0;

  // Called for each of ResolverOptions::pins, once Learn() was called with all that it leads to.
  virtual void Settle(std::string_view name, NameOutcome outcome) = 0;
};

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_NAME_AUTHORITY_H_
