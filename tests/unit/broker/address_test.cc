#include "broker/address.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace palyra::broker {
namespace {

TEST(Address, ReadsAndPrintsBothFamilies) {
  for (const char* text : {"192.0.2.7", "2001:db8::7", "::", "255.255.255.255"}) {
    const auto address = Address::Parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->ToString(), text);
    EXPECT_EQ(Address::FromBytes(address->bytes()), address);
  }
}

TEST(Address, IsWhatTheKernelConnectsTo) {
  const auto mapped = Address::Parse("::ffff:192.0.2.7");
  ASSERT_TRUE(mapped);
  EXPECT_TRUE(mapped->is_v4());
  EXPECT_EQ(mapped, Address::Parse("192.0.2.7"));
  EXPECT_EQ(mapped->bytes().size(), 4U);
  EXPECT_EQ(Address::V6(mapped->ToV6()), *mapped);
}

TEST(Address, RefusesAllOtherTexts) {
  for (const char* text : {"", "1.2.3", "127.1", "0x7f.0.0.1", "fe80::1%lo", "::/0", " ::", "a"}) {
    EXPECT_FALSE(Address::Parse(text)) << text;
  }
}

TEST(Address, RefusesAllOtherSizes) {
  for (size_t size = 0; size < 20; ++size) {
    const std::vector<uint8_t> bytes(size, 1);
    EXPECT_EQ(Address::FromBytes(bytes).has_value(), size == 4 || size == 16) << size;
  }
}

}  // namespace
}  // namespace palyra::broker
