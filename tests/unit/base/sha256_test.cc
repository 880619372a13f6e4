#include "base/sha256.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace palyra::base {
namespace {

std::span<const uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string DigestOf(std::string_view text) {
  Sha256 hash;
  hash.Update(Bytes(text));
  return HexText(hash.Finish());
}

// NIST, "SHA256" example values for FIPS 180-4, and the long message of FIPS 180-2 appendix B.3.
TEST(Sha256, GivesTheDigestsOfItsStandard) {
  EXPECT_EQ(DigestOf(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(DigestOf("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(DigestOf("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(DigestOf("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
                     "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"),
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
  EXPECT_EQ(DigestOf(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, DoesNotDependOnHowTheBytesArrive) {
  const std::string text(300, 'x');
  for (size_t part = 1; part <= text.size(); part += 7) {
    Sha256 hash;
    for (size_t at = 0; at < text.size(); at += part) {
      hash.Update(Bytes(text).subspan(at, std::min(part, text.size() - at)));
    }
    EXPECT_EQ(HexText(hash.Finish()), DigestOf(text)) << part;
  }
}

TEST(Sha256, IsReadFromItsText) {
  const std::string text = DigestOf("abc");
  const std::optional<Sha256Digest> digest = DigestOfHex(text);
  ASSERT_TRUE(digest);
  EXPECT_EQ(HexText(*digest), text);
  EXPECT_FALSE(DigestOfHex(text.substr(1)));
  EXPECT_FALSE(DigestOfHex(text + '0'));
  EXPECT_FALSE(DigestOfHex('A' + text.substr(1)));
  EXPECT_FALSE(DigestOfHex('g' + text.substr(1)));
}

}  // namespace
}  // namespace palyra::base
