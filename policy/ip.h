// Cedar's extension type ipaddr: an address of either family with a prefix length.

#ifndef PALYRA_POLICY_IP_H_
#define PALYRA_POLICY_IP_H_

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace palyra::policy {

// Equality and order are over family, address with host bits, and prefix length, as in Cedar:
// ip("10.0.0.1/8") is not ip("10.0.0.0/8").
class IpAddress {
 public:
  using Bytes = std::array<uint8_t, 16>;

  // Cedar's grammar: dotted quad without leading zeros, or RFC 4291 text without an embedded dotted
  // quad and without a zone; then optionally "/" and a decimal prefix length without leading zeros.
  // Without it the prefix is the whole address. At most 43 bytes. Nothing where the text is not
  // that.
  static std::optional<IpAddress> Parse(std::string_view text);

  // `bytes` in network byte order, IPv4 in the first four with the rest zero. Nothing where
  // `prefix_length` is above 32 or 128, or an IPv4 address has other bytes set.
  static std::optional<IpAddress> Create(bool is_ipv6, const Bytes& bytes, uint8_t prefix_length);

  [[nodiscard]] bool is_ipv6() const { return is_ipv6_; }
  [[nodiscard]] const Bytes& bytes() const { return bytes_; }
  [[nodiscard]] uint8_t prefix_length() const { return prefix_length_; }
  [[nodiscard]] uint8_t max_prefix_length() const { return is_ipv6_ ? 128 : 32; }

  // The same prefix with its host bits cleared.
  [[nodiscard]] IpAddress Masked() const;

  // Whether all of this range is loopback (127.0.0.0/8, ::1) or multicast (224.0.0.0/4, ff00::/8).
  // IPv4-mapped IPv6 is IPv6 and neither.
  [[nodiscard]] bool IsLoopback() const;
  [[nodiscard]] bool IsMulticast() const;

  // Whether every address of this range lies in `range`. False across families.
  [[nodiscard]] bool IsInRange(const IpAddress& range) const;

  // RFC 5952 without embedded dotted quads; the prefix is left out where it is the whole address.
  // Parse gives the same value back.
  [[nodiscard]] std::string ToString() const;

  auto operator<=>(const IpAddress&) const = default;

 private:
  IpAddress(bool is_ipv6, const Bytes& bytes, uint8_t prefix_length)
      : is_ipv6_(is_ipv6), bytes_(bytes), prefix_length_(prefix_length) {}

  bool is_ipv6_;
  Bytes bytes_;
  uint8_t prefix_length_;
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_IP_H_
