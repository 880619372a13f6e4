// Names as policies, the resolver and the relay compare them.

#ifndef PALYRA_BROKER_DOMAIN_NAME_H_
#define PALYRA_BROKER_DOMAIN_NAME_H_

#include <optional>
#include <string>
#include <string_view>

namespace palyra::broker {

// `name` in lower case and without the dot at its end, or nullopt for what is no name of a host:
// more than 253 characters, an empty label or one of more than 63 characters, anything but letters,
// digits, hyphens and underscores (names of other scripts come as A-labels), an address, or a last
// label that inet_aton(3) or a browser reads as a number ("1.2.3.4", "a.0x7f").
std::optional<std::string> CanonicalDomain(std::string_view name);

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_DOMAIN_NAME_H_
