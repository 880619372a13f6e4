#include "base/base64.h"

#include <cstdint>

namespace palyra::base {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr uint32_t kDigitBits = 6;
constexpr uint32_t kDigitMask = 0x3F;

}  // namespace

std::string Base64Text(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const std::string_view part = bytes.substr(i, 3);
    uint32_t value = 0;
    for (size_t k = 0; k < 3; ++k) {
      value = value << 8 | (k < part.size() ? static_cast<uint8_t>(part[k]) : 0U);
    }
    for (size_t k = 0; k < 4; ++k) {
      const uint32_t digit = value >> (kDigitBits * (3 - k)) & kDigitMask;
      text += k <= part.size() ? kDigits[digit] : '=';
    }
  }
  return text;
}

std::optional<std::string> BytesOfBase64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  uint32_t value = 0;
  size_t bits = 0;
  for (const char c : text.substr(0, text.find('='))) {
    const size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    value = value << kDigitBits | static_cast<uint32_t>(digit);
    bits += kDigitBits;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(value >> bits & 0xFF);
  }
  if (Base64Text(bytes) != text) return std::nullopt;
  return bytes;
}

}  // namespace palyra::base
