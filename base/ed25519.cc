#include "base/ed25519.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstdint>
#include <utility>

#include "base/sha256.h"

namespace palyra::base {
namespace {

using Bio = std::unique_ptr<BIO, decltype([](BIO* bio) { BIO_free(bio); })>;
using DigestContext =
    std::unique_ptr<EVP_MD_CTX, decltype([](EVP_MD_CTX* context) { EVP_MD_CTX_free(context); })>;

constexpr size_t kMostPem = 4096;
constexpr size_t kSignatureSize = 64;

std::unexpected<Error> CannotUse(const char* what) {
  return Fail(ErrorCode::kInternal, std::string("libcrypto cannot ") + what);
}

const uint8_t* BytesOf(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

Bio Reader(std::string_view pem) {
  return Bio(pem.size() > kMostPem ? nullptr
                                   : BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// Never a passphrase from the terminal.
int NoPassphrase(char* /*buffer*/, int /*size*/, int /*writes*/, void* /*data*/) { return -1; }

Result<KeyHandle> Checked(evp_pkey_st* key, const char* kind) {
  KeyHandle handle(key);
  if (handle != nullptr && EVP_PKEY_get_id(handle.get()) == EVP_PKEY_ED25519) return handle;
  return Fail(ErrorCode::kInvalidArgument,
              std::string("this is no PEM of ") + kind + " Ed25519 key");
}

// What was written into it; wiped there.
std::string Take(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  std::string text(data, static_cast<size_t>(size));
  OPENSSL_cleanse(data, static_cast<size_t>(size));
  return text;
}

}  // namespace

void FreeKey::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }

Result<PublicKey> PublicKey::FromPem(std::string_view pem) {
  const Bio bio = Reader(pem);
  Result<KeyHandle> key = Checked(
      bio == nullptr ? nullptr : PEM_read_bio_PUBKEY(bio.get(), nullptr, NoPassphrase, nullptr),
      "a public");
  if (!key) return std::unexpected(key.error());
  return PublicKey(*std::move(key));
}

Result<std::string> PublicKey::Pem() const {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr || PEM_write_bio_PUBKEY(bio.get(), key_.get()) != 1) {
    return CannotUse("write the public key");
  }
  return Take(bio);
}

Result<std::string> PublicKey::Id() const {
  uint8_t* der = nullptr;
  const int size = i2d_PUBKEY(key_.get(), &der);
  if (size <= 0) return CannotUse("write the public key");
  Sha256 hash;
  hash.Update({der, static_cast<size_t>(size)});
  OPENSSL_free(der);
  return HexText(hash.Finish());
}

bool PublicKey::Verifies(std::string_view message, std::string_view signature) const {
  const DigestContext context(EVP_MD_CTX_new());
  return context != nullptr && signature.size() == kSignatureSize &&
         EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
         EVP_DigestVerify(context.get(), BytesOf(signature), signature.size(), BytesOf(message),
                          message.size()) == 1;
}

Result<SigningKey> SigningKey::Generate() {
  KeyHandle key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  if (key == nullptr) return CannotUse("make an Ed25519 key");
  return SigningKey(std::move(key));
}

Result<SigningKey> SigningKey::FromPem(std::string_view pem) {
  const Bio bio = Reader(pem);
  Result<KeyHandle> key = Checked(
      bio == nullptr ? nullptr : PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr),
      "a private");
  if (!key) return std::unexpected(key.error());
  return SigningKey(*std::move(key));
}

Result<std::string> SigningKey::PrivatePem() const {
  const Bio bio(BIO_new(BIO_s_secmem()));
  if (bio == nullptr || PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0,
                                                      nullptr, nullptr) != 1) {
    return CannotUse("write the private key");
  }
  return Take(bio);
}

Result<PublicKey> SigningKey::Public() const {
  uint8_t* der = nullptr;
  const int size = i2d_PUBKEY(key_.get(), &der);
  if (size <= 0) return CannotUse("write the public key");
  const uint8_t* next = der;
  KeyHandle key(d2i_PUBKEY(nullptr, &next, size));
  OPENSSL_free(der);
  if (key == nullptr) return CannotUse("read the public key");
  return PublicKey(std::move(key));
}

Result<std::string> SigningKey::Sign(std::string_view message) const {
  const DigestContext context(EVP_MD_CTX_new());
  std::string signature(kSignatureSize, '\0');
  size_t size = signature.size();
  const bool is_signed =
      context != nullptr &&
      EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
      EVP_DigestSign(context.get(), reinterpret_cast<uint8_t*>(signature.data()), &size,
                     BytesOf(message), message.size()) == 1;
  if (!is_signed || size != kSignatureSize) return CannotUse("sign");
  return signature;
}

}  // namespace palyra::base
