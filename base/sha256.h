// SHA-256 (FIPS 180-4), by OpenSSL's libcrypto.

#ifndef PALYRA_BASE_SHA256_H_
#define PALYRA_BASE_SHA256_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace palyra::base {

using Sha256Digest = std::array<uint8_t, 32>;

// One digest over bytes that come in parts. Not for secrets: nothing is wiped.
class Sha256 {
 public:
  Sha256();

  void Update(std::span<const uint8_t> bytes);

  // The digest of all parts. Only once; nothing may be added afterwards.
  [[nodiscard]] Sha256Digest Finish();

 private:
  // OpenSSL's SHA256_CTX; sha256.cc asserts that it fits.
  alignas(8) std::array<std::byte, 112> context_;
};

// 64 hexadecimal digits in lower case.
std::string HexText(const Sha256Digest& digest);

// The digest of such a text; nothing where it is none.
std::optional<Sha256Digest> DigestOfHex(std::string_view text);

}  // namespace palyra::base

#endif  // PALYRA_BASE_SHA256_H_
