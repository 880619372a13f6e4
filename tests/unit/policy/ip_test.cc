#include "policy/ip.h"

#include <gtest/gtest.h>

#include <string>

namespace palyra::policy {
namespace {

IpAddress Ip(const std::string& text) {
  const auto ip = IpAddress::Parse(text);
  EXPECT_TRUE(ip) << text;
  return ip.value_or(*IpAddress::Create(false, {}, 0));
}

TEST(IpAddress, ReadsWhatCedarReadsAndPrintsItCanonically) {
  const struct {
    const char* text;
    const char* printed;
  } cases[] = {
      {"0.0.0.0", "0.0.0.0"},
      {"255.255.255.255/0", "255.255.255.255/0"},
      {"10.0.0.1/8", "10.0.0.1/8"},
      {"10.0.0.1/32", "10.0.0.1"},
      {"::", "::"},
      {"::1", "::1"},
      {"1::", "1::"},
      {"::/0", "::/0"},
      {"2001:DB8::00ab/128", "2001:db8::ab"},
      {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
      {"1::3:4:5:6:7:8", "1:0:3:4:5:6:7:8"},
      {"1:0:0:4:0:0:0:8", "1:0:0:4::8"},
      {"1:0:0:4:0:0:7:8", "1::4:0:0:7:8"},
      {"::ffff:7f00:1", "::ffff:7f00:1"},
      {"0:0:0:0:0:0:0:0", "::"},
      {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
      {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
      {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
  };
  for (const auto& c : cases) {
    const auto ip = IpAddress::Parse(c.text);
    ASSERT_TRUE(ip) << c.text;
    EXPECT_EQ(ip->ToString(), c.printed) << c.text;
    EXPECT_EQ(IpAddress::Parse(ip->ToString()), ip) << c.text;
  }
}

TEST(IpAddress, RefusesWhatCedarRefuses) {
  for (const char* text : {"",
                           " ",
                           "1",
                           "1.2.3",
                           "1.2.3.4.5",
                           "1.2.3.4.",
                           ".1.2.3.4",
                           "1..3.4",
                           "01.2.3.4",
                           "1.2.3.04",
                           "256.1.1.1",
                           "1.2.3.4 ",
                           " 1.2.3.4",
                           "0x7f.0.0.1",
                           "0177.0.0.1",
                           "2130706433",
                           "1.2.3.4/",
                           "1.2.3.4/33",
                           "1.2.3.4/08",
                           "1.2.3.4/00",
                           "1.2.3.4/032",
                           "1.2.3.4/-1",
                           "1.2.3.4/+8",
                           "1.2.3.4/8/8",
                           "1.2.3.4/8 ",
                           ":",
                           ":::",
                           "::1::",
                           "1:2:3",
                           "1:2:3:4:5:6:7",
                           "1:2:3:4:5:6:7:8:9",
                           "1:2:3:4:5:6:7:8::",
                           "::1:2:3:4:5:6:7:8",
                           ":1::2",
                           "1::2:",
                           "12345::",
                           "g::",
                           "::1/129",
                           "::1/064",
                           "::1/0128",
                           "::ffff:1.2.3.4",
                           "::1.2.3.4",
                           "fe80::1%eth0",
                           "[::1]",
                           "::-1",
                           "::+1",
                           "::0x1",
                           "1.2.3.4:80",
                           "example.com"}) {
    EXPECT_FALSE(IpAddress::Parse(text)) << text;
  }
  EXPECT_FALSE(IpAddress::Parse(std::string("1.2.3.4\0", 8)));
}

TEST(IpAddress, EqualityCountsHostBitsAndPrefix) {
  EXPECT_NE(Ip("10.0.0.1/8"), Ip("10.0.0.0/8"));
  EXPECT_NE(Ip("10.0.0.0/8"), Ip("10.0.0.0"));
  EXPECT_EQ(Ip("10.0.0.0/32"), Ip("10.0.0.0"));
  EXPECT_NE(Ip("0.0.0.0"), Ip("::"));
  EXPECT_NE(Ip("::ffff:a00:1"), Ip("10.0.0.1"));
  EXPECT_EQ(Ip("10.1.2.3/8").Masked(), Ip("10.0.0.0/8"));
  EXPECT_EQ(Ip("10.255.255.255/9").Masked(), Ip("10.128.0.0/9"));
  EXPECT_EQ(Ip("1.2.3.4/0").Masked(), Ip("0.0.0.0/0"));
}

TEST(IpAddress, RangesCompareMaskedAndWithinOneFamily) {
  const struct {
    const char* ip;
    const char* range;
    bool expected;
  } cases[] = {
      {"10.1.2.3", "10.0.0.0/8", true},
      {"10.1.2.3", "10.99.99.99/8", true},
      {"11.0.0.0", "10.0.0.0/8", false},
      {"10.0.0.0/8", "10.0.0.0/8", true},
      {"10.0.0.0/7", "10.0.0.0/8", false},
      {"10.0.0.0/9", "10.0.0.0/8", true},
      {"1.2.3.4", "0.0.0.0/0", true},
      {"::1", "0.0.0.0/0", false},
      {"1.2.3.4", "::/0", false},
      {"::ffff:a00:1", "10.0.0.0/8", false},
      {"fd00:1::5", "fd00::/8", true},
      {"fe00::", "fd00::/8", false},
      {"192.168.1.7/31", "192.168.1.6/31", true},
      {"192.168.1.8", "192.168.1.6/31", false},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Ip(c.ip).IsInRange(Ip(c.range)), c.expected) << c.ip << " in " << c.range;
  }
}

TEST(IpAddress, LoopbackAndMulticastNeedTheWholeRangeInside) {
  const struct {
    const char* ip;
    bool loopback;
    bool multicast;
  } cases[] = {
      {"127.0.0.1", true, false},
      {"127.9.9.9/8", true, false},
      {"127.0.0.1/7", false, false},
      {"128.0.0.1", false, false},
      {"::1", true, false},
      {"::1/127", false, false},
      {"::ffff:7f00:1", false, false},
      {"224.0.0.1", false, true},
      {"239.1.1.1/4", false, true},
      {"224.0.0.0/3", false, false},
      {"240.0.0.1", false, false},
      {"ff02::1", false, true},
      {"ff00::/8", false, true},
      {"ff00::/7", false, false},
      {"::ffff:e000:1", false, false},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Ip(c.ip).IsLoopback(), c.loopback) << c.ip;
    EXPECT_EQ(Ip(c.ip).IsMulticast(), c.multicast) << c.ip;
  }
}

TEST(IpAddress, CreateRefusesImpossibleParts) {
  EXPECT_FALSE(IpAddress::Create(false, {}, 33));
  EXPECT_FALSE(IpAddress::Create(true, {}, 129));
  EXPECT_FALSE(IpAddress::Create(false, {1, 2, 3, 4, 5}, 32));
  EXPECT_EQ(IpAddress::Create(false, {1, 2, 3, 4}, 32), Ip("1.2.3.4"));
}

}  // namespace
}  // namespace palyra::policy
