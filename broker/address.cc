#include "broker/address.h"

#include <arpa/inet.h>

#include <algorithm>

namespace palyra::broker {
namespace {

constexpr std::array<uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

Address Address::V4(const V4Bytes& bytes) {
  V6Bytes mapped = {};
  std::ranges::copy(kMappedPrefix, mapped.begin());
  std::ranges::copy(bytes, mapped.begin() + kMappedPrefix.size());
  return {mapped, true};
}

Address Address::V6(const V6Bytes& bytes) {
  return {bytes, std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin())};
}

std::optional<Address> Address::FromBytes(std::span<const uint8_t> bytes) {
  if (bytes.size() == 4) return V4({bytes[0], bytes[1], bytes[2], bytes[3]});
  V6Bytes whole = {};
  if (bytes.size() != whole.size()) return std::nullopt;
  std::ranges::copy(bytes, whole.begin());
  return V6(whole);
}

std::optional<Address> Address::Parse(const std::string& text) {
  V4Bytes four = {};
  if (inet_pton(AF_INET, text.c_str(), four.data()) == 1) return V4(four);
  V6Bytes sixteen = {};
  if (inet_pton(AF_INET6, text.c_str(), sixteen.data()) == 1) return V6(sixteen);
  return std::nullopt;
}

std::span<const uint8_t> Address::bytes() const {
  const std::span<const uint8_t> whole(bytes_);
  return v4_ ? whole.last(4) : whole;
}

std::string Address::ToString() const {
  std::array<char, INET6_ADDRSTRLEN> text = {};
  inet_ntop(v4_ ? AF_INET : AF_INET6, bytes().data(), text.data(), text.size());
  return text.data();
}

}  // namespace palyra::broker
