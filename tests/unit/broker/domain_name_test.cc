#include "broker/domain_name.h"

#include <gtest/gtest.h>

#include <string>

namespace palyra::broker {
namespace {

TEST(DomainName, IsLowerCaseWithoutTheLastDot) {
  EXPECT_EQ(CanonicalDomain("WWW.Example.COM."), "www.example.com");
  EXPECT_EQ(CanonicalDomain("xn--bcher-kva.example"), "xn--bcher-kva.example");
  EXPECT_EQ(CanonicalDomain("_dmarc.a-b.test"), "_dmarc.a-b.test");
  EXPECT_EQ(CanonicalDomain("localhost"), "localhost");
}

TEST(DomainName, IsNoAddressAndEndsInNoNumber) {
  for (const char* bad : {"1.2.3.4", "127.1", "2130706433", "0x7f000001", "a.0x7f", "a.0x", "a.1",
                          "1.2.3.4.", "::1", "[::1]", "fe80::1%lo"}) {
    EXPECT_EQ(CanonicalDomain(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(CanonicalDomain("1.2.3.4.test"), "1.2.3.4.test");
}

TEST(DomainName, HasOnlyWhatNamesOfHostsHave) {
  const std::string label(63, 'a');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'b');
  EXPECT_EQ(CanonicalDomain(longest), longest);
  EXPECT_EQ(CanonicalDomain(longest + "b"), std::nullopt);
  EXPECT_EQ(CanonicalDomain(label + "a.test"), std::nullopt);
  for (const std::string& bad : {std::string(), std::string("."), std::string("a..b"),
                                 std::string(".a"), std::string("a.b.."), std::string("a b"),
                                 std::string("a\0.b", 4), std::string("b\xc3\xbc.test"),
                                 std::string("a/b"), std::string("*.test"), std::string("a:80")}) {
    EXPECT_EQ(CanonicalDomain(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace palyra::broker
