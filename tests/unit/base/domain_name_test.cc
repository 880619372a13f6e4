#include "base/domain_name.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace palyra::base {
namespace {

using std::string_view_literals::operator""sv;

// Three labels of 63 and one of 61: 253 octets.
std::string LongestName() {
  const std::string label(63, 'a');
  return label + "." + label + "." + label + "." + std::string(61, 'b');
}

TEST(CanonicalDomain, IsLowerCaseWithoutTheFinalDot) {
  EXPECT_EQ(CanonicalDomain("example.com"), "example.com");
  EXPECT_EQ(CanonicalDomain("EXAMPLE.Com."), "example.com");
  EXPECT_EQ(CanonicalDomain("_dmarc.a-b.example"), "_dmarc.a-b.example");
  EXPECT_EQ(CanonicalDomain("xn--BCHER-kva.example"), "xn--bcher-kva.example");
  EXPECT_EQ(CanonicalDomain("localhost"), "localhost");
  EXPECT_EQ(CanonicalDomain("1.0.0.127.in-addr.arpa"), "1.0.0.127.in-addr.arpa");
}

TEST(CanonicalDomain, IsItsOwnCanonicalForm) {
  for (const std::string_view name : {"A.b-C_d.Example.", "x"}) {
    const auto once = CanonicalDomain(name);
    ASSERT_TRUE(once);
    EXPECT_EQ(CanonicalDomain(*once), once);
  }
}

TEST(CanonicalDomain, RefusesBytesThatNoHostNameHas) {
  for (const std::string_view name :
       {"a\0b.com"sv, "a%2eb"sv, "user@host"sv, "a/b"sv, "a:53"sv, "a b"sv, "*.example.com"sv,
        "b\xc3\xbc"
        "cher.example"sv,
        "a\\.b"sv, "a\tb"sv, "[::1]"sv, "a,b"sv, "a\x7f"sv}) {
    EXPECT_EQ(CanonicalDomain(name), std::nullopt) << name;
  }
}

TEST(CanonicalDomain, RefusesEmptyLabels) {
  for (const std::string_view name : {"", ".", "..", "a..b", ".a", "a.."}) {
    EXPECT_EQ(CanonicalDomain(name), std::nullopt) << name;
  }
}

TEST(CanonicalDomain, HoldsToTheLimitsOfTheWire) {
  const std::string longest = LongestName();
  ASSERT_EQ(longest.size(), kMaxNameSize);
  EXPECT_TRUE(CanonicalDomain(longest));
  EXPECT_FALSE(CanonicalDomain(longest + "b"));
  // The final dot would be one octet more of text, but not of the name; it is refused only beyond.
  EXPECT_TRUE(CanonicalDomain(longest + "."));
  EXPECT_TRUE(CanonicalDomain(std::string(63, 'a') + ".com"));
  EXPECT_FALSE(CanonicalDomain(std::string(64, 'a') + ".com"));
}

TEST(CanonicalDomain, RefusesWhatSoftwareTakesForAnAddress) {
  for (const std::string_view name :
       {"1.2.3.4", "1.2.3.4.", "0x7f.1", "2130706433", "017700000001", "127.1", "0x7f000001",
        "0X7F.0.0.0x1", "example.0x", "foo.09", "a.b.1.2", "0"}) {
    EXPECT_EQ(CanonicalDomain(name), std::nullopt) << name;
    EXPECT_TRUE(EndsInNumber(name.substr(0, name.find_last_not_of('.') + 1))) << name;
  }
}

TEST(CanonicalDomain, AllowsNumbersElsewhere) {
  for (const std::string_view name :
       {"1.example", "0x7f.com", "123abc", "0xg", "x0", "1-2", "_1"}) {
    EXPECT_EQ(CanonicalDomain(name), name);
  }
}

TEST(IsLocalhost, IsTheNameAndAllBelow) {
  EXPECT_TRUE(IsLocalhost("localhost"));
  EXPECT_TRUE(IsLocalhost("a.b.localhost"));
  EXPECT_FALSE(IsLocalhost("notlocalhost"));
  EXPECT_FALSE(IsLocalhost("localhost.example"));
  EXPECT_FALSE(IsLocalhost(""));
}

}  // namespace
}  // namespace palyra::base
