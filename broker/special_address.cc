#include "broker/special_address.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

namespace palyra::broker {
namespace {

using Bytes = std::span<const uint8_t>;

struct Prefix {
  Address::V6Bytes bytes;
  size_t bits;
};

bool HasPrefix(Bytes address, const Prefix& prefix) {
  const size_t whole = prefix.bits / 8;
  if (!std::ranges::equal(address.first(whole), Bytes(prefix.bytes).first(whole))) return false;
  const size_t rest = prefix.bits % 8;
  return rest == 0 || ((address[whole] ^ prefix.bytes[whole]) >> (8 - rest)) == 0;
}

constexpr std::array kSpecialV4 = {
    Prefix{{0}, 8},                  // This network
    Prefix{{10}, 8},                 // Private
    Prefix{{100, 64}, 10},           // Carrier-grade NAT; 100.100.100.200 is a metadata service
    Prefix{{127}, 8},                // Loopback
    Prefix{{168, 63, 129, 16}, 32},  // Metadata of a cloud, in a public range
    Prefix{{169, 254}, 16},          // Link-local; 169.254.169.254 is a metadata service
    Prefix{{172, 16}, 12},           // Private
    Prefix{{192, 0, 0}, 24},         // IETF protocol assignments; 192.0.0.192 is a metadata service
    Prefix{{192, 0, 2}, 24},         // Documentation
    Prefix{{192, 88, 99}, 24},       // 6to4 relays
    Prefix{{192, 168}, 16},          // Private
    Prefix{{198, 18}, 15},           // Benchmarking
    Prefix{{198, 51, 100}, 24},      // Documentation
    Prefix{{203, 0, 113}, 24},       // Documentation
    Prefix{{224}, 4},                // Multicast
    Prefix{{240}, 4},                // Reserved, and broadcast
};

constexpr Prefix kPublicV6 = {{0x20}, 3};
constexpr Prefix kNat64 = {{0x00, 0x64, 0xff, 0x9b}, 96};
constexpr Prefix kTeredo = {{0x20, 0x01}, 32};
constexpr Prefix k6to4 = {{0x20, 0x02}, 16};

constexpr std::array kSpecialV6 = {
    Prefix{{0x20, 0x01, 0x00, 0x02}, 48},  // Benchmarking
    Prefix{{0x20, 0x01, 0x00, 0x10}, 28},  // ORCHID
    Prefix{{0x20, 0x01, 0x00, 0x20}, 28},  // ORCHIDv2
    Prefix{{0x20, 0x01, 0x0d, 0xb8}, 32},  // Documentation
    Prefix{{0x3f, 0xff}, 20},              // Documentation
};

bool IsSpecialV4(Bytes address) {
  return std::ranges::any_of(
      kSpecialV4, [address](const Prefix& prefix) { return HasPrefix(address, prefix); });
}

// Teredo (RFC 4380 section 4): the server's address, and the client's with every bit inverted.
bool IsSpecialTeredo(Bytes address) {
  Address::V4Bytes client = {};
  std::ranges::transform(address.last(4), client.begin(),
                         [](uint8_t byte) { return static_cast<uint8_t>(~byte); });
  return IsSpecialV4(address.subspan(4, 4)) || IsSpecialV4(client);
}

// An interface identifier that ends in an IPv4 address (RFC 5214 section 6.1).
bool IsIsatap(Bytes address) {
  return (address[8] & ~0x03U) == 0 && address[9] == 0 && address[10] == 0x5e &&
         address[11] == 0xfe;
}

bool IsSpecialV6(Bytes address) {
  if (HasPrefix(address, kNat64)) return IsSpecialV4(address.last(4));
  if (!HasPrefix(address, kPublicV6)) return true;
  if (HasPrefix(address, kTeredo)) return IsSpecialTeredo(address);
  if (HasPrefix(address, k6to4)) return IsSpecialV4(address.subspan(2, 4));
  if (IsIsatap(address) && IsSpecialV4(address.last(4))) return true;
  return std::ranges::any_of(
      kSpecialV6, [address](const Prefix& prefix) { return HasPrefix(address, prefix); });
}

}  // namespace

bool IsSpecial(const Address& address) {
  return address.is_v4() ? IsSpecialV4(address.bytes()) : IsSpecialV6(address.bytes());
}

}  // namespace palyra::broker
