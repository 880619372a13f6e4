#include "policy/text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

namespace palyra::policy {
namespace {

constexpr uint32_t kMaxCodePoint = 0x10FFFF;
constexpr uint32_t kReplacement = 0xFFFD;
constexpr uint64_t kNotAscii = 0x8080'8080'8080'8080;  // The bits that ASCII does not set.

bool IsSurrogate(uint32_t code_point) { return code_point >= 0xD800 && code_point <= 0xDFFF; }

void AppendUtf8(std::string& out, uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0U | c >> 6U);
    out += static_cast<char>(0x80U | (c & 0x3FU));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0U | c >> 12U);
    out += static_cast<char>(0x80U | (c >> 6U & 0x3FU));
    out += static_cast<char>(0x80U | (c & 0x3FU));
  } else {
    out += static_cast<char>(0xF0U | c >> 18U);
    out += static_cast<char>(0x80U | (c >> 12U & 0x3FU));
    out += static_cast<char>(0x80U | (c >> 6U & 0x3FU));
    out += static_cast<char>(0x80U | (c & 0x3FU));
  }
}

std::optional<uint32_t> HexDigit(char c) {
  if (c >= '0' && c <= '9') {
    return static_cast<uint32_t>(c - '0');
  }
  if (c >= 'a' && c <= 'f') {
    return static_cast<uint32_t>(c - 'a' + 10);
  }
  if (c >= 'A' && c <= 'F') {
    return static_cast<uint32_t>(c - 'A' + 10);
  }
  return std::nullopt;
}

// A code point and how many raw bytes stand for it.
struct Escaped {
  uint32_t code_point;
  size_t length;
};

using EscapeResult = std::expected<Escaped, EscapeError>;

EscapeResult Bad(size_t offset, size_t length, std::string message) {
  return std::unexpected(EscapeError{offset, length, std::move(message)});
}

// "\xHH", at most 7F.
EscapeResult ReadHexEscape(std::string_view raw, size_t at) {
  const std::optional<uint32_t> high = at + 2 < raw.size() ? HexDigit(raw[at + 2]) : std::nullopt;
  const std::optional<uint32_t> low = at + 3 < raw.size() ? HexDigit(raw[at + 3]) : std::nullopt;
  if (!high || !low || *high > 7) {
    return Bad(at, std::min<size_t>(4, raw.size() - at),
               "\\x takes two hexadecimal digits, at most 7F; use \\u{…} for other characters");
  }
  return Escaped{.code_point = *high * 16 + *low, .length = 4};
}

// "\u{H…}", one to six digits, underscores between them.
EscapeResult ReadUnicodeEscape(std::string_view raw, size_t at) {
  const std::string_view rest = raw.substr(at);
  const size_t close = rest.find('}');
  const std::string_view digits =
      rest.size() > 2 && rest[2] == '{' && close != std::string_view::npos
          ? rest.substr(3, close - 3)
          : std::string_view();
  uint32_t code_point = 0;
  int count = 0;
  bool good = !digits.empty() && digits[0] != '_';
  for (const char c : digits) {
    const std::optional<uint32_t> digit = HexDigit(c);
    good = good && (digit || c == '_');
    if (good && digit) {
      good = ++count <= 6;
      code_point = code_point * 16 + *digit;
    }
  }
  const size_t length = close == std::string_view::npos ? 2 : close + 1;
  if (!good) {
    return Bad(at, length, "\\u takes one to six hexadecimal digits in braces, as in \\u{1F512}");
  }
  if (code_point > kMaxCodePoint || IsSurrogate(code_point)) {
    return Bad(at, length, "this escape is not a Unicode character");
  }
  return Escaped{.code_point = code_point, .length = length};
}

// Whether this is not simply itself in a string.
bool IsSpecial(char c) { return c == '\\' || c == '\r'; }

// Where the next special character is, or the end.
size_t FindSpecial(std::string_view raw, size_t at) {
  while (at < raw.size() && !IsSpecial(raw[at])) {
    ++at;
  }
  return at;
}

// The escape that begins with the special character at `at`.
EscapeResult ReadEscape(std::string_view raw, size_t at) {
  if (raw[at] == '\r') {
    return Bad(at, 1, "a carriage return in a string is written \\r");
  }
  const char kind = at + 1 < raw.size() ? raw[at + 1] : '\0';
  switch (kind) {
    case 'n':
      return Escaped{'\n', 2};
    case 'r':
      return Escaped{'\r', 2};
    case 't':
      return Escaped{'\t', 2};
    case '0':
      return Escaped{0, 2};
    case '\\':
    case '\'':
    case '"':
      return Escaped{static_cast<uint32_t>(kind), 2};
    case 'x':
      return ReadHexEscape(raw, at);
    case 'u':
      return ReadUnicodeEscape(raw, at);
    case '*':
      return Bad(at, 2, "\\* stands for a star only on the right of `like`; write * here");
    default:
      return Bad(at, 1, "unknown escape; a backslash itself is written \\\\");
  }
}

}  // namespace

Character CharacterAt(std::string_view text, size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const size_t length = lead >= 0xF8   ? 1
                        : lead >= 0xF0 ? 4
                        : lead >= 0xE0 ? 3
                        : lead >= 0xC0 ? 2
                                       : 1;
  if (lead < 0x80) {
    return {.code_point = lead, .length = 1};
  }
  uint32_t code_point = lead & (0x7FU >> length);
  for (size_t i = 1; i < length; ++i) {
    if (at + i >= text.size() || (static_cast<unsigned char>(text[at + i]) & 0xC0U) != 0x80U) {
      return {.code_point = kReplacement, .length = 1};
    }
    code_point = code_point << 6U | (static_cast<unsigned char>(text[at + i]) & 0x3FU);
  }
  return {.code_point = length == 1 ? kReplacement : code_point, .length = length};
}

bool IsUnsafeToShow(uint32_t code_point) {
  return code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0) ||
         code_point == kReplacement || (code_point >= 0x200B && code_point <= 0x200F) ||
         (code_point >= 0x202A && code_point <= 0x202E) ||
         (code_point >= 0x2060 && code_point <= 0x2069) || code_point == 0xFEFF;
}

std::optional<size_t> FindInvalidUtf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    if (uint64_t eight = 0; at + sizeof(eight) <= text.size()) {
      std::memcpy(&eight, text.data() + at, sizeof(eight));
      if ((eight & kNotAscii) == 0) {
        at += sizeof(eight);
        continue;
      }
    }
    const auto lead = static_cast<unsigned char>(text[at]);
    if (lead < 0x80) {
      ++at;
      continue;
    }
    const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || at + length > text.size()) {
      return at;
    }
    uint32_t code_point = lead & (0x7FU >> length);
    for (size_t i = 1; i < length; ++i) {
      const auto next = static_cast<unsigned char>(text[at + i]);
      if ((next & 0xC0U) != 0x80U) {
        return at;
      }
      code_point = code_point << 6U | (next & 0x3FU);
    }
    static constexpr std::array<uint32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
    if (code_point < kSmallest.at(length) || code_point > kMaxCodePoint ||
        IsSurrogate(code_point)) {
      return at;
    }
    at += length;
  }
  return std::nullopt;
}

size_t WhiteSpaceLength(std::string_view text) {
  const auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const unsigned first = byte(0);
  if (first == ' ' || (first >= '\t' && first <= '\r')) {
    return 1;
  }
  if (first == 0xC2 && (byte(1) == 0x85 || byte(1) == 0xA0)) {
    return 2;  // U+0085, U+00A0
  }
  const unsigned code_point =
      first < 0xE1 || first > 0xE3
          ? 0U
          : (first & 0xFU) << 12U | (byte(1) & 0x3FU) << 6U | (byte(2) & 0x3FU);
  const bool is_space = code_point == 0x1680 || (code_point >= 0x2000 && code_point <= 0x200A) ||
                        code_point == 0x2028 || code_point == 0x2029 || code_point == 0x202F ||
                        code_point == 0x205F || code_point == 0x3000;
  return is_space ? 3 : 0;
}

std::expected<std::string, EscapeError> Unescape(std::string_view raw) {
  size_t at = FindSpecial(raw, 0);
  if (at == raw.size()) {
    return std::string(raw);
  }
  std::string out;
  out.reserve(raw.size());
  out += raw.substr(0, at);
  while (at < raw.size()) {
    const EscapeResult escaped = ReadEscape(raw, at);
    if (!escaped) {
      return std::unexpected(escaped.error());
    }
    AppendUtf8(out, escaped->code_point);
    const size_t plain = at + escaped->length;
    at = FindSpecial(raw, plain);
    out += raw.substr(plain, at - plain);
  }
  return out;
}

std::expected<Pattern, EscapeError> UnescapePattern(std::string_view raw) {
  Pattern pattern{.pieces = {""}};
  for (size_t at = 0; at < raw.size();) {
    if (raw.substr(at).starts_with("\\*")) {
      pattern.pieces.back() += '*';
      at += 2;
      continue;
    }
    if (!IsSpecial(raw[at])) {
      if (raw[at] == '*') {
        pattern.pieces.emplace_back();
      } else {
        pattern.pieces.back() += raw[at];
      }
      ++at;
      continue;
    }
    const EscapeResult escaped = ReadEscape(raw, at);
    if (!escaped) {
      return std::unexpected(escaped.error());
    }
    if (escaped->code_point == '*') {
      pattern.pieces.emplace_back();
    } else {
      AppendUtf8(pattern.pieces.back(), escaped->code_point);
    }
    at += escaped->length;
  }
  return pattern;
}

}  // namespace palyra::policy
