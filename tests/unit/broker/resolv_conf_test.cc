#include "broker/resolv_conf.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace palyra::broker {
namespace {

using std::chrono_literals::operator""s;

TEST(ParseResolvConf, ReadsServersAndOptions) {
  const auto conf = ParseResolvConf(
      "# written by somebody\nsearch corp.example\nnameserver 192.0.2.53\n"
      "\tnameserver\t2001:db8::53  \noptions ndots:2 timeout:3 attempts:4 edns0\r\n");
  ASSERT_TRUE(conf);
  ASSERT_EQ(conf->servers.size(), 2U);
  EXPECT_EQ(conf->servers[0].address.ToString(), "192.0.2.53");
  EXPECT_EQ(conf->servers[1].address.ToString(), "2001:db8::53");
  EXPECT_EQ(conf->servers[1].port, 53);
  EXPECT_EQ(conf->timeout, 3s);
  EXPECT_EQ(conf->attempts, 4);
  EXPECT_EQ(conf->ignored_servers, 0U);
}

TEST(ParseResolvConf, HasTheDefaultsOfTheManual) {
  const auto conf = ParseResolvConf("nameserver 192.0.2.53");
  ASSERT_TRUE(conf);
  EXPECT_EQ(conf->timeout, 5s);
  EXPECT_EQ(conf->attempts, 2);
}

TEST(ParseResolvConf, IgnoresServersItCannotAsk) {
  const auto conf = ParseResolvConf(
      "nameserver fe80::1%eth0\nnameserver name.example\nnameserver\nnameserver 192.0.2.1:53\n"
      "nameserver 192.0.2.53\n");
  ASSERT_TRUE(conf);
  ASSERT_EQ(conf->servers.size(), 1U);
  EXPECT_EQ(conf->servers[0].address.ToString(), "192.0.2.53");
  EXPECT_EQ(conf->ignored_servers, 4U);
}

TEST(ParseResolvConf, TakesThreeServersAtMost) {
  std::string text;
  for (int i = 1; i <= 5; ++i) text += "nameserver 192.0.2." + std::to_string(i) + "\n";
  const auto conf = ParseResolvConf(text);
  ASSERT_TRUE(conf);
  EXPECT_EQ(conf->servers.size(), 3U);
  EXPECT_EQ(conf->ignored_servers, 2U);
}

TEST(ParseResolvConf, BoundsTheOptions) {
  const auto conf =
      ParseResolvConf("nameserver 192.0.2.53\noptions timeout:99999 attempts:0 attempts:9x\n");
  ASSERT_TRUE(conf);
  EXPECT_EQ(conf->timeout, 30s);
  EXPECT_EQ(conf->attempts, 1);
}

TEST(ParseResolvConf, FailsWithoutAServer) {
  for (const std::string_view text :
       {"", "\n", "search example\n", "#nameserver 192.0.2.1\n", "nameserver fe80::1%lo\n"}) {
    const auto conf = ParseResolvConf(text);
    ASSERT_FALSE(conf) << text;
    EXPECT_EQ(conf.error().code, ErrorCode::kNotFound);
  }
}

}  // namespace
}  // namespace palyra::broker
