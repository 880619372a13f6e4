// Domain names in the one form in which policies and the resolver speak of them.

#ifndef PALYRA_BASE_DOMAIN_NAME_H_
#define PALYRA_BASE_DOMAIN_NAME_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace palyra::base {

inline constexpr size_t kMaxDomainLength = 253;  // RFC 1035, section 2.3.4, as text.
inline constexpr size_t kMaxLabelLength = 63;

// In lower case and without the trailing dot. Nothing where `name` is none: labels are of letters,
// digits, "-" and "_", other alphabets as the DNS writes them ("xn--…"). What ends in a number is
// an address in some notation (0x7f.1, 2130706433) and no name: https://url.spec.whatwg.org,
// section 3.5.
std::optional<std::string> CanonicalDomain(std::string_view name);

}  // namespace palyra::base

#endif  // PALYRA_BASE_DOMAIN_NAME_H_
