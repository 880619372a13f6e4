#include "base/domain_name.h"

#include <gtest/gtest.h>

#include <string>

namespace palyra::base {
namespace {

using namespace std::string_literals;

TEST(DomainName, HasOneForm) {
  const struct {
    std::string given;
    std::string canonical;
  } cases[] = {
      {"a.test", "a.test"},
      {"A.TeSt.", "a.test"},
      {"localhost", "localhost"},
      {"_dmarc.a.test", "_dmarc.a.test"},
      {"xn--bcher-kva.example", "xn--bcher-kva.example"},
      {"1.2.3.4.example", "1.2.3.4.example"},
      {"0x7f.example", "0x7f.example"},
      {"3com", "3com"},
      {std::string(63, 'a') + ".test", std::string(63, 'a') + ".test"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(CanonicalDomain(c.given), c.canonical) << c.given;
  }
}

TEST(DomainName, WhatIsNoNameHasNone) {
  for (const std::string& given :
       {""s, "."s, "a..test"s, ".a.test"s, "a.test.."s, "a test"s, "a.test\0.evil.example"s,
        "user@a.test"s, "a.test:443"s, "a%2etest"s,
        "b\xC3\xBC"
        "cher.example"s,
        "a/b"s, "*.a.test"s, std::string(64, 'a') + ".test", "[::1]"s}) {
    EXPECT_EQ(CanonicalDomain(given), std::nullopt) << given;
  }
}

TEST(DomainName, AddressesInAnyNotationAreNone) {
  for (const std::string given : {"192.0.2.1", "2130706433", "0x7f.1", "017700000001", "127.1",
                                  "0x7f000001", "192.0.2.1.", "a.test.0x", "a.1"}) {
    EXPECT_EQ(CanonicalDomain(given), std::nullopt) << given;
  }
}

TEST(DomainName, LengthIsBounded) {
  std::string longest;
  while (longest.size() < 250) {
    longest += "abcd.";
  }
  longest += "abc";
  ASSERT_EQ(longest.size(), kMaxDomainLength);
  EXPECT_EQ(CanonicalDomain(longest), longest);
  EXPECT_EQ(CanonicalDomain(longest + '.'), longest);
  EXPECT_EQ(CanonicalDomain(longest + 'd'), std::nullopt);
}

}  // namespace
}  // namespace palyra::base
