#include "policy/compile/prefix_cover.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>

#include "policy/ip.h"

namespace palyra::policy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

Point At(std::string_view address) {
  const IpAddress ip = IpAddress::Parse(address).value();
  return AddressPoint(ip.is_ipv6(), ip.bytes());
}

std::vector<std::string> Texts(const PrefixCover& cover) {
  std::vector<std::string> texts;
  texts.reserve(cover.prefixes.size());
  for (const AddressPrefix& prefix : cover.prefixes) {
    texts.push_back(IpAddress::Create(prefix.is_ipv6, prefix.bytes, prefix.length)->ToString() +
                    " " + std::to_string(prefix.address_class));
  }
  return texts;
}

TEST(PrefixCoverTest, OneClassNeedsNoPrefix) {
  const PrefixCover cover = CoverWithPrefixes({{.first = 0, .address_class = 7}});
  EXPECT_EQ(cover.outside, 7U);
  EXPECT_THAT(cover.prefixes, IsEmpty());
}

TEST(PrefixCoverTest, AHostNeedsOnePrefix) {
  const PrefixCover cover = CoverWithPrefixes({{0, 1}, {At("10.0.0.9"), 2}, {At("10.0.0.10"), 1}});
  EXPECT_EQ(cover.outside, 1U);
  EXPECT_THAT(Texts(cover), ElementsAre("10.0.0.9 2"));
}

TEST(PrefixCoverTest, FamiliesThatDifferNeedOnePrefix) {
  const PrefixCover cover =
      CoverWithPrefixes({{0, 1}, {kFirstIpv4Point, 2}, {kLastIpv4Point + 1, 1}});
  EXPECT_THAT(Texts(cover), SizeIs(1));
}

TEST(PrefixCoverTest, AHoleIsAPrefixInAPrefix) {
  const PrefixCover cover = CoverWithPrefixes(
      {{0, 0}, {At("10.0.0.0"), 1}, {At("10.1.0.0"), 0}, {At("10.2.0.0"), 1}, {At("11.0.0.0"), 0}});
  EXPECT_THAT(Texts(cover), ElementsAre("10.0.0.0/8 1", "10.1.0.0/16 0"));
}

TEST(PrefixCoverTest, TheLastAddressesAreReached) {
  const PrefixCover cover = CoverWithPrefixes(
      {{0, 0}, {At("255.255.255.255"), 1}, {kLastIpv4Point + 1, 0}, {kLastAddressPoint, 2}});
  EXPECT_THAT(Texts(cover),
              ElementsAre("255.255.255.255 1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 2"));
}

TEST(PrefixCoverTest, PrefixesStayOnTheirSideOfIpv4) {
  // Everything from ::1:0:0:0 on, which is beyond ::ffff:255.255.255.255.
  const PrefixCover cover = CoverWithPrefixes({{0, 0}, {kLastIpv4Point + 1, 1}});
  for (const AddressPrefix& prefix : cover.prefixes) {
    EXPECT_TRUE(prefix.is_ipv6);
  }
  EXPECT_EQ(cover.outside, 0U);
}

// The fewest prefixes for classes of 16 hosts in a row, by trying every class above every block.
size_t FewestPrefixes(const std::array<uint32_t, 16>& hosts, size_t first, size_t size,
                      uint32_t inherited) {
  size_t fewest = ~size_t{0};
  for (uint32_t own = 0; own < 3; ++own) {
    const size_t cost = own == inherited ? 0 : 1;
    if (size == 1) {
      if (hosts[first] == own) {
        fewest = std::min(fewest, cost);
      }
      continue;
    }
    fewest = std::min(fewest, cost + FewestPrefixes(hosts, first, size / 2, own) +
                                  FewestPrefixes(hosts, first + size / 2, size / 2, own));
  }
  return fewest;
}

TEST(PrefixCoverTest, RandomBlocksAreCoveredExactlyAndWithTheFewestPrefixes) {
  // NOLINTNEXTLINE(cert-msc32-c,cert-msc51-cpp): the same rounds in every run.
  std::mt19937 random(4711);
  for (int round = 0; round < 100; ++round) {
    const bool is_ipv6 = round % 2 == 1;
    const Point base = At(is_ipv6 ? "2001:db8::40" : "10.0.0.64");
    std::array<uint32_t, 16> hosts;
    std::vector<AddressCell> cells = {{.first = 0, .address_class = 0}};
    for (size_t i = 0; i < hosts.size(); ++i) {
      hosts[i] = static_cast<uint32_t>(random() % 3);
      if (cells.back().address_class != hosts[i]) {
        cells.push_back({.first = base + i, .address_class = hosts[i]});
      }
    }
    if (cells.back().address_class != 0) {
      cells.push_back({.first = base + hosts.size(), .address_class = 0});
    }
    const PrefixCover cover = CoverWithPrefixes(cells);
    ASSERT_EQ(cover.outside, 0U);
    EXPECT_EQ(cover.prefixes.size(), FewestPrefixes(hosts, 0, hosts.size(), 0));
    for (size_t i = 0; i < hosts.size(); ++i) {
      const IpAddress address = AddressAt(base + i);
      uint32_t found = cover.outside;
      for (const AddressPrefix& prefix : cover.prefixes) {  // Longer ones of a range come later.
        if (address.IsInRange(*IpAddress::Create(prefix.is_ipv6, prefix.bytes, prefix.length))) {
          found = prefix.address_class;
        }
      }
      EXPECT_EQ(found, hosts[i]) << address.ToString();
    }
  }
}

}  // namespace
}  // namespace palyra::policy
