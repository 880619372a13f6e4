#include "cli/grant_commands.h"

#include <gtest/gtest.h>

#include <string>

namespace palyra::cli {
namespace {

std::string Read(const std::string& action, const std::string& protocol,
                 const std::string& endpoint) {
  const Result<policy::NetEvent> resource = ParseGrantResource(action, protocol, endpoint);
  return resource ? GrantResourceText(*resource) : "refused";
}

TEST(GrantResource, IsReadAsItIsPrinted) {
  EXPECT_EQ(Read("net.connect", "tcp", "192.0.2.1:443"), "net.connect tcp 192.0.2.1:443");
  EXPECT_EQ(Read("net.send", "udp", "[2001:db8::1]:53"), "net.send udp [2001:db8::1]:53");
  EXPECT_EQ(Read("net.accept", "tcp", "0.0.0.0:0"), "net.accept tcp 0.0.0.0:0");
  EXPECT_EQ(Read("net.send", "icmp", "192.0.2.1"), "net.send icmp 192.0.2.1");
  EXPECT_EQ(Read("net.send", "icmpv6", "2001:db8::1"), "net.send icmpv6 2001:db8::1");
}

TEST(GrantResource, OfAMappedAddressIsIpv4) {
  EXPECT_EQ(Read("net.connect", "tcp", "[::ffff:c000:201]:443"), "net.connect tcp 192.0.2.1:443");
}

TEST(GrantResource, IsOneAddressAndOnePort) {
  for (const std::string endpoint :
       {"", ":443", "192.0.2.1", "192.0.2.1:", "192.0.2.1:x", "192.0.2.1:65536", "192.0.2.1:-1",
        "192.0.2.1:443-444", "192.0.2.0/24:443", "192.0.2.1/32:443", "[192.0.2.1]:443",
        "2001:db8::1:443", "[2001:db8::1]", "[2001:db8::1:443", "example.com:443", "*:443"}) {
    EXPECT_EQ(Read("net.connect", "tcp", endpoint), "refused") << endpoint;
  }
  EXPECT_EQ(Read("net.send", "icmp", "192.0.2.1:5"), "refused");
  EXPECT_EQ(Read("net.connect", "sctp", "192.0.2.1:443"), "refused");
  EXPECT_EQ(Read("file.read", "tcp", "192.0.2.1:443"), "refused");
}

}  // namespace
}  // namespace palyra::cli
