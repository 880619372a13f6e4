// An IPv4 or IPv6 address, without port and scope.

#ifndef PALYRA_BROKER_ADDRESS_H_
#define PALYRA_BROKER_ADDRESS_H_

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace palyra::broker {

// Passive and copyable. An IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2) becomes the IPv4
// address that the kernel connects to, so that two equal destinations are equal here.
class Address {
 public:
  using V4Bytes = std::array<uint8_t, 4>;
  using V6Bytes = std::array<uint8_t, 16>;

  static Address V4(const V4Bytes& bytes);
  static Address V6(const V6Bytes& bytes);

  // Of 4 or 16 bytes in network order; nullopt for any other number.
  static std::optional<Address> FromBytes(std::span<const uint8_t> bytes);

  // As inet_pton(3) reads it: no scope, no prefix, four decimal parts.
  static std::optional<Address> Parse(const std::string& text);

  [[nodiscard]] bool is_v4() const { return v4_; }

  // 4 or 16 bytes in network order.
  [[nodiscard]] std::span<const uint8_t> bytes() const;

  // As an IPv6 address, an IPv4 one mapped.
  [[nodiscard]] V6Bytes ToV6() const { return bytes_; }

  [[nodiscard]] std::string ToString() const;

  auto operator<=>(const Address&) const = default;

 private:
  Address(const V6Bytes& bytes, bool v4) : bytes_(bytes), v4_(v4) {}

  V6Bytes bytes_;  // An IPv4 address is mapped.
  bool v4_;
};

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_ADDRESS_H_
