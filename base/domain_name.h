// The one form in which domain names are compared, looked up and judged.

#ifndef PALYRA_BASE_DOMAIN_NAME_H_
#define PALYRA_BASE_DOMAIN_NAME_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace palyra::base {

// In octets, without the final dot (RFC 1035 section 2.3.4).
inline constexpr size_t kMaxNameSize = 253;
inline constexpr size_t kMaxLabelSize = 63;

// `text` in lower case and without a final dot. A-labels stay as they are; nothing is converted.
// nullopt for what is no name that a policy could speak of: empty, or with an empty label, too
// long, with any byte but letters, digits, '-' and '_', or one that software takes for an IPv4
// address ("ends in a number", WHATWG URL section 3.5: "10.1", "0x7f.1", "2130706433").
std::optional<std::string> CanonicalDomain(std::string_view text);

// Whether a URL parser would take `name` for an IPv4 address, well-formed or not.
bool EndsInNumber(std::string_view name);

// Whether canonical `name` is "localhost" or below it (RFC 6761 section 6.3).
bool IsLocalhost(std::string_view name);

}  // namespace palyra::base

#endif  // PALYRA_BASE_DOMAIN_NAME_H_
