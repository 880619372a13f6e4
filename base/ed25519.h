// Signatures by Ed25519 (RFC 8032), by OpenSSL's libcrypto; keys as PEM, private ones as PKCS #8,
// public ones as SubjectPublicKeyInfo.

#ifndef PALYRA_BASE_ED25519_H_
#define PALYRA_BASE_ED25519_H_

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct evp_pkey_st;

namespace palyra::base {

struct FreeKey {
  void operator()(evp_pkey_st* key) const;
};
using KeyHandle = std::unique_ptr<evp_pkey_st, FreeKey>;

class PublicKey {
 public:
  // kInvalidArgument: no PEM of a public Ed25519 key.
  static Result<PublicKey> FromPem(std::string_view pem);

  [[nodiscard]] Result<std::string> Pem() const;
  // SHA-256 of its DER in hexadecimal: `openssl pkey -pubin -outform DER | sha256sum`.
  [[nodiscard]] Result<std::string> Id() const;
  [[nodiscard]] bool Verifies(std::string_view message, std::string_view signature) const;

 private:
  friend class SigningKey;
  explicit PublicKey(KeyHandle key) : key_(std::move(key)) {}
  KeyHandle key_;
};

// Zeroed by OpenSSL when it goes.
class SigningKey {
 public:
  static Result<SigningKey> Generate();
  // kInvalidArgument: no PEM of a private Ed25519 key.
  static Result<SigningKey> FromPem(std::string_view pem);

  // Whoever has it can sign.
  [[nodiscard]] Result<std::string> PrivatePem() const;
  [[nodiscard]] Result<PublicKey> Public() const;
  // 64 bytes.
  [[nodiscard]] Result<std::string> Sign(std::string_view message) const;

 private:
  explicit SigningKey(KeyHandle key) : key_(std::move(key)) {}
  KeyHandle key_;
};

}  // namespace palyra::base

#endif  // PALYRA_BASE_ED25519_H_
