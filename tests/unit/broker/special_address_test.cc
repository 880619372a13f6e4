#include "broker/special_address.h"

#include <gtest/gtest.h>

#include <string>

namespace palyra::broker {
namespace {

bool IsSpecialText(const std::string& text) {
  const auto address = Address::Parse(text);
  EXPECT_TRUE(address) << text;
  return address && IsSpecial(*address);
}

TEST(IsSpecial, HoldsForEveryV4RangeThatIsNotPublic) {
  for (const char* text :
       {"0.0.0.0",         "0.255.255.255",   "10.0.0.0",        "10.255.255.255",
        "100.64.0.0",      "100.127.255.255", "127.0.0.1",       "127.255.255.255",
        "169.254.0.0",     "169.254.255.255", "172.16.0.0",      "172.31.255.255",
        "192.0.0.1",       "192.0.2.1",       "192.88.99.1",     "192.168.0.0",
        "192.168.255.255", "198.18.0.0",      "198.19.255.255",  "198.51.100.1",
        "203.0.113.1",     "224.0.0.1",       "239.255.255.255", "240.0.0.1",
        "255.255.255.255"}) {
    EXPECT_TRUE(IsSpecialText(text)) << text;
  }
}

TEST(IsSpecial, EndsWhereTheRangesEnd) {
  for (const char* text :
       {"1.0.0.0",         "9.255.255.255", "11.0.0.0",        "100.63.255.255",  "100.128.0.0",
        "126.255.255.255", "128.0.0.0",     "169.253.255.255", "169.255.0.0",     "172.15.255.255",
        "172.32.0.0",      "192.0.1.0",     "192.0.3.0",       "192.167.255.255", "192.169.0.0",
        "198.17.255.255",  "198.20.0.0",    "203.0.112.255",   "203.0.114.0",     "223.255.255.255",
        "8.8.8.8",         "168.63.129.17"}) {
    EXPECT_FALSE(IsSpecialText(text)) << text;
  }
}

TEST(IsSpecial, HoldsForMetadataServicesOfClouds) {
  for (const char* text : {"169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192",
                           "168.63.129.16", "fd00:ec2::254", "fd20:ce::254"}) {
    EXPECT_TRUE(IsSpecialText(text)) << text;
  }
}

TEST(IsSpecial, HoldsForEveryV6RangeThatIsNotPublic) {
  for (const char* text :
       {"::",          "::1",        "::8.8.8.8",       "::2",        "64:ff9b:1::1", "100::1",
        "2001:2::1",   "2001:10::1", "2001:1f:ffff::1", "2001:20::1", "2001:db8::1",  "3fff::1",
        "3fff:fff::1", "4000::1",    "5f00::1",         "fc00::1",    "fdff::1",      "fe80::1",
        "febf::1",     "fec0::1",    "ff02::1",         "ffff::1"}) {
    EXPECT_TRUE(IsSpecialText(text)) << text;
  }
}

TEST(IsSpecial, DoesNotHoldForPublicV6) {
  for (const char* text : {"2000::1", "2001:4860:4860::8888", "2001:db7:ffff::1", "2001:db9::1",
                           "2606:4700::1111", "2a00::1", "3ffe::1", "3fff:1000::1", "2001:3::1"}) {
    EXPECT_FALSE(IsSpecialText(text)) << text;
  }
}

TEST(IsSpecial, LooksAtTheV4AddressInside) {
  EXPECT_TRUE(IsSpecialText("::ffff:10.0.0.1"));
  EXPECT_FALSE(IsSpecialText("::ffff:8.8.8.8"));
  EXPECT_TRUE(IsSpecialText("64:ff9b::10.0.0.1"));
  EXPECT_TRUE(IsSpecialText("64:ff9b::169.254.169.254"));
  EXPECT_FALSE(IsSpecialText("64:ff9b::8.8.8.8"));
  EXPECT_TRUE(IsSpecialText("2002:7f00:1::1"));
  EXPECT_FALSE(IsSpecialText("2002:808:808::1"));
  // Teredo: server 8.8.8.8, client 10.0.0.1 and 8.8.4.4; then server 10.0.0.1.
  EXPECT_TRUE(IsSpecialText("2001:0:808:808:0:0:f5ff:fffe"));
  EXPECT_FALSE(IsSpecialText("2001:0:808:808:0:0:f7f7:fbfb"));
  EXPECT_TRUE(IsSpecialText("2001:0:a00:1:0:0:f7f7:fbfb"));
  EXPECT_TRUE(IsSpecialText("2a00::5efe:10.0.0.1"));
  EXPECT_TRUE(IsSpecialText("2a00::200:5efe:10.0.0.1"));
  EXPECT_FALSE(IsSpecialText("2a00::5efe:8.8.8.8"));
}

}  // namespace
}  // namespace palyra::broker
