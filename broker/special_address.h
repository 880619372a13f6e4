// Addresses that a public name has no business to point at.

#ifndef PALYRA_BROKER_SPECIAL_ADDRESS_H_
#define PALYRA_BROKER_SPECIAL_ADDRESS_H_

#include "broker/address.h"

namespace palyra::broker {

// Whether `address` is not a host of the public Internet: everything of the IANA special-purpose
// registries (RFC 6890) that is not globally reachable, multicast, class E, and the metadata
// services of clouds. An answer that holds one is how DNS rebinding reaches a private network. IPv6
// is special outside 2000::/3 as a whole. What carries an IPv4 address (NAT64, 6to4, Teredo,
// ISATAP) is as special as that one.
bool IsSpecial(const Address& address);

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_SPECIAL_ADDRESS_H_
