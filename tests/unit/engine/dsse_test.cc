// Signed statements: every byte of them counts, and others can verify them.

#include "engine/dsse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "engine/receipt_key.h"
#include "tests/support/temp_dir.h"

namespace palyra::engine {
namespace {

using testing::HasSubstr;

constexpr std::string_view kType = "application/vnd.test+json";

// RFC 8032 section 7.1, test 2: the key as PKCS #8.
constexpr const char* kKey =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7\n"
    "-----END PRIVATE KEY-----\n";

base::SigningKey AnyKey() { return *base::SigningKey::Generate(); }

TEST(Dsse, EncodesAsTheSpecificationSays) {
  // Its own example.
  EXPECT_EQ(PreAuthEncoding("http://example.com/HelloWorld", "hello world"),
            "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
}

TEST(Dsse, OpensWhatWasSealed) {
  const base::SigningKey key = AnyKey();
  for (const std::string& payload :
       {std::string(), std::string("{}"), std::string(3, '\0'), std::string("\xFF\xFE\n\"")}) {
    const Result<std::string> sealed = SealEnvelope(kType, payload, key);
    ASSERT_TRUE(sealed);
    const Result<std::string> opened = OpenEnvelope(*sealed, kType, *key.Public());
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_EQ(*opened, payload);
  }
}

TEST(Dsse, NoByteCanBeChanged) {
  const base::SigningKey key = AnyKey();
  const base::PublicKey verifier = *key.Public();
  const std::string sealed = *SealEnvelope(kType, R"({"a":1,"b":"two"})", key);
  ASSERT_TRUE(OpenEnvelope(sealed, kType, verifier));
  for (size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    for (int byte = 0; byte < 256; ++byte) {
      changed[i] = static_cast<char>(byte);
      if (changed == sealed) continue;
      ASSERT_FALSE(OpenEnvelope(changed, kType, verifier)) << i << ' ' << byte;
    }
    EXPECT_FALSE(OpenEnvelope(sealed.substr(0, i), kType, verifier)) << i;
    EXPECT_FALSE(OpenEnvelope(sealed.substr(0, i) + sealed.substr(i + 1), kType, verifier)) << i;
    EXPECT_FALSE(OpenEnvelope(sealed.substr(0, i) + ' ' + sealed.substr(i), kType, verifier)) << i;
  }
  EXPECT_FALSE(OpenEnvelope(sealed + ' ', kType, verifier));
}

TEST(Dsse, IsOfOneKeyAndOneType) {
  const base::SigningKey key = AnyKey();
  const std::string sealed = *SealEnvelope(kType, "x", key);
  const Result<std::string> other = OpenEnvelope(sealed, kType, *AnyKey().Public());
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, HasSubstr("not signed by this key"));
  EXPECT_FALSE(OpenEnvelope(sealed, "application/other", *key.Public()));
}

TEST(Ed25519, SignsAsTheStandardSays) {
  const Result<base::SigningKey> key = base::SigningKey::FromPem(kKey);
  ASSERT_TRUE(key) << key.error().message;
  const std::string signature = *key->Sign("r");
  constexpr std::string_view kStart =
      "\x92\xa0\x09\xa9\xf0\xd4\xca\xb8\x72\x0e\x82\x0b\x5f\x64\x25";
  EXPECT_EQ(signature.substr(0, kStart.size()), kStart);
  EXPECT_TRUE(key->Public()->Verifies("r", signature));
  EXPECT_FALSE(key->Public()->Verifies("s", signature));
  EXPECT_FALSE(key->Public()->Verifies("r", signature.substr(1)));
  EXPECT_EQ(base::SigningKey::FromPem(*key->PrivatePem())->Sign("r").value(), signature);
  EXPECT_TRUE(base::PublicKey::FromPem(*key->Public()->Pem())->Verifies("r", signature));
  EXPECT_FALSE(base::PublicKey::FromPem(kKey));
  EXPECT_FALSE(base::SigningKey::FromPem(*key->Public()->Pem()));
  EXPECT_FALSE(base::SigningKey::FromPem(std::string(10'000, 'x')));
}

TEST(ReceiptKey, IsMadeOnceAndKeptFromOthers) {
  const tests::TempDir files;
  const std::string directory = files.Path("lib/keys");
  EXPECT_FALSE(ReceiptPublicKey(directory));
  const Result<base::SigningKey> key = ReceiptKey(directory);
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_EQ(*key->Public()->Pem(), *ReceiptPublicKey(directory));
  EXPECT_EQ(*ReceiptKey(directory)->Public()->Id(), *key->Public()->Id());

  const std::string path = directory + "/receipt.key";
  struct stat status;
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  ASSERT_EQ(chmod(path.c_str(), 0640), 0);
  const Result<base::SigningKey> known = ReceiptKey(directory);
  ASSERT_FALSE(known);
  EXPECT_EQ(known.error().code, ErrorCode::kPermissionDenied);
  ASSERT_EQ(chmod(path.c_str(), 0600), 0);
  ASSERT_EQ(chmod(directory.c_str(), 0777), 0);
  EXPECT_FALSE(ReceiptKey(directory));
  ASSERT_EQ(chmod(directory.c_str(), 0755), 0);
  std::filesystem::resize_file(path, 10);
  EXPECT_FALSE(ReceiptKey(directory)) << "a damaged key is not replaced unasked";
}

}  // namespace
}  // namespace palyra::engine
