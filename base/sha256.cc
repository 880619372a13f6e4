// The low-level functions are deprecated in OpenSSL 3 in favour of ones that look for a provider
// first: 0.3 ms before the first byte, at each start of a run.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "base/sha256.h"

#include <openssl/sha.h>

#include <new>
#include <type_traits>

namespace palyra::base {
namespace {

SHA256_CTX* ContextIn(void* storage) { return std::launder(static_cast<SHA256_CTX*>(storage)); }

}  // namespace

Sha256::Sha256() {
  static_assert(sizeof(SHA256_CTX) <= sizeof(context_));
  static_assert(alignof(SHA256_CTX) <= 8 && std::is_trivial_v<SHA256_CTX>);
  SHA256_Init(new (context_.data()) SHA256_CTX);
}

void Sha256::Update(std::span<const uint8_t> bytes) {
  SHA256_Update(ContextIn(context_.data()), bytes.data(), bytes.size());
}

Sha256Digest Sha256::Finish() {
  Sha256Digest digest;
  SHA256_Final(digest.data(), ContextIn(context_.data()));
  return digest;
}

std::string HexText(const Sha256Digest& digest) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : digest) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 0xF];
  }
  return text;
}

std::optional<Sha256Digest> DigestOfHex(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  Sha256Digest digest = {};
  if (text.size() != 2 * digest.size()) return std::nullopt;
  for (size_t i = 0; i < text.size(); ++i) {
    const size_t digit = kDigits.find(text[i]);
    if (digit == std::string_view::npos) return std::nullopt;
    uint8_t& byte = digest.at(i / 2);
    byte = static_cast<uint8_t>(byte << 4 | digit);
  }
  return digest;
}

}  // namespace palyra::base
