// UTF-8 and the string escapes of Cedar text, which are those of Rust.

#ifndef PALYRA_POLICY_TEXT_H_
#define PALYRA_POLICY_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "policy/ast.h"

namespace palyra::policy {

struct Character {
  uint32_t code_point;
  size_t length;  // In bytes.
};

// The character at byte `at` < text.size(). A byte that is not part of well-formed UTF-8 is one
// character, U+FFFD.
Character CharacterAt(std::string_view text, size_t at);

// Control characters, and those that are invisible or turn the direction of what follows: what is
// shown to a person must not hold them raw.
bool IsUnsafeToShow(uint32_t code_point);

// Offset of the first byte that is not well-formed UTF-8 (RFC 3629), nothing where all is.
std::optional<size_t> FindInvalidUtf8(std::string_view text);

// The length in bytes of the white space at the start of `text`, 0 where there is none. White space
// is Unicode's White_Space property. `text` is UTF-8.
size_t WhiteSpaceLength(std::string_view text);

// What is wrong in a string literal, as offset and length in its raw text.
struct EscapeError {
  size_t offset;
  size_t length;
  std::string message;
};

// The string that `raw`, the text between the quotes, stands for.
std::expected<std::string, EscapeError> Unescape(std::string_view raw);

// The same for the right side of `like`, where `*` is a wildcard and `\*` a star. As in Cedar, a
// star that is written as \x2a or \u{2a} is a wildcard too.
std::expected<Pattern, EscapeError> UnescapePattern(std::string_view raw);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_TEXT_H_
