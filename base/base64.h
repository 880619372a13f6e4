// Base64 with padding (RFC 4648 section 4).

#ifndef PALYRA_BASE_BASE64_H_
#define PALYRA_BASE_BASE64_H_

#include <optional>
#include <string>
#include <string_view>

namespace palyra::base {

std::string Base64Text(std::string_view bytes);

// Exactly what Base64Text() writes; nothing for anything else: other characters, missing padding,
// bits that stand for nothing.
std::optional<std::string> BytesOfBase64(std::string_view text);

}  // namespace palyra::base

#endif  // PALYRA_BASE_BASE64_H_
