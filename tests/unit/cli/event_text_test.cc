#include "cli/event_text.h"

#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "policy/compile/compiler.h"

namespace palyra::cli {
namespace {

std::string Read(const std::string& action, const std::string& protocol,
                 const std::string& endpoint) {
  const Result<policy::NetEvent> resource = ParseNetEvent(action, protocol, endpoint);
  return resource ? NetEventText(*resource) : "refused";
}

TEST(NetEventText, IsReadAsItIsPrinted) {
  EXPECT_EQ(Read("net.connect", "tcp", "192.0.2.1:443"), "net.connect tcp 192.0.2.1:443");
  EXPECT_EQ(Read("net.send", "udp", "[2001:db8::1]:53"), "net.send udp [2001:db8::1]:53");
  EXPECT_EQ(Read("net.accept", "tcp", "0.0.0.0:0"), "net.accept tcp 0.0.0.0:0");
  EXPECT_EQ(Read("net.send", "icmp", "192.0.2.1"), "net.send icmp 192.0.2.1");
  EXPECT_EQ(Read("net.send", "icmpv6", "2001:db8::1"), "net.send icmpv6 2001:db8::1");
}

TEST(NetEventText, OfAMappedAddressIsIpv4) {
  EXPECT_EQ(Read("net.connect", "tcp", "[::ffff:c000:201]:443"), "net.connect tcp 192.0.2.1:443");
}

TEST(NetEventText, IsOneAddressAndOnePort) {
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

std::string Name(const std::vector<std::string>& words) {
  const Result<Event> event = ParseEvent(words);
  const auto* name = event ? std::get_if<policy::NameEvent>(&*event) : nullptr;
  return name == nullptr ? "refused" : policy::EventText(*name);
}

TEST(EventText, OfNamesIsInCanonicalForm) {
  EXPECT_EQ(Name({"file.read", "/a//b/../c/"}), "file.read /a/c");
  EXPECT_EQ(Name({"file.read", "/"}), "file.read /");
  EXPECT_EQ(Name({"process.exec", "/bin/sh", "sha256", "ab"}), "process.exec /bin/sh sha256 ab");
  EXPECT_EQ(Name({"process.signal", "same-run"}), "process.signal same-run");
  EXPECT_EQ(Name({"unix.connect", "abstract", "x"}), "unix.connect abstract x");
  EXPECT_EQ(Name({"unix.connect", "/run/x"}), "unix.connect /run/x");
}

TEST(EventText, OfNothingKnownIsRefused) {
  EXPECT_EQ(Name({}), "refused");
  EXPECT_EQ(Name({"file.read"}), "refused");
  EXPECT_EQ(Name({"file.read", "a"}), "refused");
  EXPECT_EQ(Name({"file.read", "/a", "/b"}), "refused");
  EXPECT_EQ(Name({"process.trace", "/a"}), "refused");
  EXPECT_EQ(Name({"vault.get", "x"}), "refused");
}

}  // namespace
}  // namespace palyra::cli
