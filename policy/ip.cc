#include "policy/ip.h"

#include <algorithm>
#include <charconv>
#include <cstddef>

namespace palyra::policy {
namespace {

constexpr size_t kMaxTextLength = 43;
constexpr size_t kGroups = 8;

// Decimal digits only, no leading zero, at most `max_digits`, at most `limit`.
std::optional<uint8_t> ParseDecimal(std::string_view text, size_t max_digits, unsigned limit) {
  if (text.empty() || text.size() > max_digits || (text.size() > 1 && text[0] == '0')) {
    return std::nullopt;
  }
  unsigned value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') {
      return std::nullopt;
    }
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  if (value > limit) {
    return std::nullopt;
  }
  return static_cast<uint8_t>(value);
}

std::optional<IpAddress::Bytes> ParseIpv4(std::string_view text) {
  IpAddress::Bytes bytes{};
  for (size_t i = 0; i < 4; ++i) {
    const size_t dot = text.find('.');
    if ((i < 3) != (dot != std::string_view::npos)) {
      return std::nullopt;
    }
    const std::optional<uint8_t> octet = ParseDecimal(text.substr(0, dot), 3, 255);
    if (!octet) {
      return std::nullopt;
    }
    bytes[i] = *octet;
    text.remove_prefix(i < 3 ? dot + 1 : 0);
  }
  return bytes;
}

struct Groups {
  std::array<uint16_t, kGroups> value{};
  size_t count = 0;
};

// Groups of one to four hexadecimal digits between single colons; empty text is no group.
std::optional<Groups> ParseGroups(std::string_view text) {
  Groups groups;
  while (!text.empty()) {
    const std::string_view group = text.substr(0, text.find(':'));
    uint16_t value = 0;
    const auto [end, error] = std::from_chars(group.data(), group.data() + group.size(), value, 16);
    if (groups.count == kGroups || group.size() > 4 || error != std::errc() ||
        end != group.data() + group.size()) {
      return std::nullopt;
    }
    groups.value[groups.count++] = value;
    if (group.size() == text.size()) {
      break;
    }
    text.remove_prefix(group.size() + 1);
    if (text.empty()) {
      return std::nullopt;  // A colon with nothing behind it.
    }
  }
  return groups;
}

std::optional<IpAddress::Bytes> ParseIpv6(std::string_view text) {
  const size_t gap = text.find("::");
  const std::optional<Groups> head = ParseGroups(text.substr(0, gap));
  if (!head) {
    return std::nullopt;
  }
  Groups tail;
  if (gap == std::string_view::npos) {
    if (head->count != kGroups) {
      return std::nullopt;
    }
  } else {
    const std::optional<Groups> parsed = ParseGroups(text.substr(gap + 2));
    if (!parsed || head->count + parsed->count >= kGroups) {
      return std::nullopt;
    }
    tail = *parsed;
  }
  std::array<uint16_t, kGroups> groups = head->value;
  std::ranges::copy_n(tail.value.begin(), static_cast<std::ptrdiff_t>(tail.count),
                      groups.end() - static_cast<std::ptrdiff_t>(tail.count));
  IpAddress::Bytes bytes{};
  for (size_t i = 0; i < kGroups; ++i) {
    bytes[2 * i] = static_cast<uint8_t>(groups[i] >> 8U);
    bytes[2 * i + 1] = static_cast<uint8_t>(groups[i] & 0xFFU);
  }
  return bytes;
}

std::string Ipv4Text(const IpAddress::Bytes& bytes) {
  std::string out;
  for (size_t i = 0; i < 4; ++i) {
    out += (i == 0 ? "" : ".") + std::to_string(bytes[i]);
  }
  return out;
}

// RFC 5952: the first longest run of two or more zero groups becomes "::".
std::string Ipv6Text(const IpAddress::Bytes& bytes) {
  std::array<unsigned, kGroups> groups{};
  for (size_t i = 0; i < kGroups; ++i) {
    groups[i] = static_cast<unsigned>(bytes[2 * i]) << 8U | bytes[2 * i + 1];
  }
  size_t run_start = kGroups;
  size_t run_length = 1;
  for (size_t i = 0; i < kGroups; ++i) {
    size_t end = i;
    while (end < kGroups && groups[end] == 0) {
      ++end;
    }
    if (end - i > run_length) {
      run_start = i;
      run_length = end - i;
    }
  }
  std::string out;
  for (size_t i = 0; i < kGroups; ++i) {
    if (i == run_start) {
      out += "::";
      i += run_length - 1;
      continue;
    }
    if (!out.empty() && !out.ends_with(':')) {
      out += ':';
    }
    std::array<char, 4> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), groups[i], 16);
    out.append(digits.data(), end.ptr);
  }
  return out;
}

}  // namespace

std::optional<IpAddress> IpAddress::Parse(std::string_view text) {
  if (text.size() > kMaxTextLength) {
    return std::nullopt;
  }
  const size_t slash = text.find('/');
  const std::string_view address = text.substr(0, slash);
  const bool is_ipv6 = address.find(':') != std::string_view::npos;
  const std::optional<Bytes> bytes = is_ipv6 ? ParseIpv6(address) : ParseIpv4(address);
  if (!bytes) {
    return std::nullopt;
  }
  const unsigned max_prefix = is_ipv6 ? 128 : 32;
  std::optional<uint8_t> prefix = static_cast<uint8_t>(max_prefix);
  if (slash != std::string_view::npos) {
    prefix = ParseDecimal(text.substr(slash + 1), is_ipv6 ? 3 : 2, max_prefix);
  }
  if (!prefix) {
    return std::nullopt;
  }
  return IpAddress(is_ipv6, *bytes, *prefix);
}

std::optional<IpAddress> IpAddress::Create(bool is_ipv6, const Bytes& bytes,
                                           uint8_t prefix_length) {
  if (prefix_length > (is_ipv6 ? 128 : 32)) {
    return std::nullopt;
  }
  if (!is_ipv6 && std::any_of(bytes.begin() + 4, bytes.end(), [](uint8_t b) { return b != 0; })) {
    return std::nullopt;
  }
  return IpAddress(is_ipv6, bytes, prefix_length);
}

IpAddress IpAddress::Masked() const {
  IpAddress masked = *this;
  for (size_t i = 0; i < bytes_.size(); ++i) {
    const int kept_bits =
        std::clamp(static_cast<int>(prefix_length_) - static_cast<int>(8 * i), 0, 8);
    masked.bytes_[i] =
        static_cast<uint8_t>(bytes_[i] & (0xFF00U >> static_cast<unsigned>(kept_bits)));
  }
  return masked;
}

bool IpAddress::IsLoopback() const {
  if (!is_ipv6_) {
    return bytes_[0] == 127 && prefix_length_ >= 8;
  }
  Bytes one{};
  one[15] = 1;
  return bytes_ == one && prefix_length_ == 128;
}

bool IpAddress::IsMulticast() const {
  return is_ipv6_ ? bytes_[0] == 0xFF && prefix_length_ >= 8
                  : (bytes_[0] & 0xF0U) == 0xE0U && prefix_length_ >= 4;
}

bool IpAddress::IsInRange(const IpAddress& range) const {
  if (is_ipv6_ != range.is_ipv6_ || prefix_length_ < range.prefix_length_) {
    return false;
  }
  IpAddress widened = *this;
  widened.prefix_length_ = range.prefix_length_;
  return widened.Masked().bytes_ == range.Masked().bytes_;
}

std::string IpAddress::ToString() const {
  std::string out = is_ipv6_ ? Ipv6Text(bytes_) : Ipv4Text(bytes_);
  if (prefix_length_ != max_prefix_length()) {
    out += '/' + std::to_string(prefix_length_);
  }
  return out;
}

}  // namespace palyra::policy
