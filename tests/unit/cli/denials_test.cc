#include "cli/denials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace palyra::cli {
namespace {

using policy::Layer;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

LayerPolicies Policies(Layer layer, const std::string& file, const std::string& text) {
  auto parsed = policy::PolicySet::Parse({std::make_shared<const policy::SourceFile>(file, text)});
  EXPECT_TRUE(parsed);
  return {.layer = layer, .policies = *std::move(parsed), .entities = {}, .warnings = {}};
}

palyra_event Event(palyra_action action, palyra_protocol protocol, const std::vector<int>& address,
                   uint16_t port, uint32_t reason) {
  palyra_event event = {};
  event.action = action;
  event.protocol = protocol;
  event.is_ipv6 = address.size() == 16;
  std::ranges::copy(address, event.address);
  event.port = port;
  event.reason = reason;
  return event;
}

const std::vector<int> kV4 = {192, 0, 2, 1};
const std::vector<int> kV6 = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

class DenialsTest : public testing::Test {
 protected:
  [[nodiscard]] Denial Name(const palyra_event& event) const {
    return DenialNames(rules_, layers_).Name(event);
  }

  // What is said of one denial.
  [[nodiscard]] std::string LineOf(const palyra_event& event) const {
    DenialSummary summary;
    summary.Add(Name(event));
    return summary.Line(1, 0).value_or("");
  }

  const std::vector<LayerPolicies> layers_ = {
      Policies(Layer::kMandatory, "mandatory",
               "@id(\"metadata\")\nforbid(principal, action, resource);"),
      Policies(Layer::kOperator, "ops.cedar",
               "permit(principal, action, resource);\nforbid(principal, action, resource);"),
      Policies(Layer::kCaller, "mine.cedar",
               "forbid(principal, action, resource);\n@id(\"two\")\nforbid(principal, action, "
               "resource);"),
  };
  const policy::RuleSet rules_ = {
      .prefixes = {},
      .classes = {{}},
      .reasons = {{.layers = {{Layer::kCaller, {}}}},
                  {.layers = {{Layer::kCaller, {"policy0", "policy1"}}}},
                  {.layers = {{Layer::kMandatory, {"policy0"}}, {Layer::kCaller, {"policy0"}}}},
                  {.layers = {{Layer::kOperator, {"policy1"}}}},
                  {.layers = {{Layer::kOperator, {}}}},
                  {.layers = {{Layer::kCaller, {"policy99"}}}}}};
};

TEST_F(DenialsTest, AreNamedInTheWordsOfPolicies) {
  const Denial denial = Name(Event(PALYRA_NET_CONNECT, PALYRA_TCP, kV4, 443, 1));
  EXPECT_EQ(denial.action, "net.connect");
  EXPECT_EQ(denial.protocol, "tcp");
  EXPECT_EQ(denial.address, "192.0.2.1");
  EXPECT_EQ(denial.port, 443);
  EXPECT_EQ(denial.layer, Layer::kCaller);
  EXPECT_THAT(denial.policies,
              ElementsAre("policy0 (mine.cedar:1)", "policy1 (\"two\", mine.cedar:2)"));
}

struct NameCase {
  palyra_action action;
  palyra_protocol protocol;
  const std::vector<int>& address;
  std::string expected;
};

TEST_F(DenialsTest, NameEachActionProtocolAndFamily) {
  const NameCase cases[] = {
      {PALYRA_NET_CONNECT, PALYRA_TCP, kV4, "net.connect tcp 192.0.2.1"},
      {PALYRA_NET_SEND, PALYRA_UDP, kV4, "net.send udp 192.0.2.1"},
      {PALYRA_NET_ACCEPT, PALYRA_TCP, kV6, "net.accept tcp 2001:db8::1"},
      {PALYRA_NET_SEND, PALYRA_UDPLITE, kV6, "net.send udplite 2001:db8::1"},
      {PALYRA_NET_CONNECT, PALYRA_ICMP, kV4, "net.connect icmp 192.0.2.1"},
      {PALYRA_NET_SEND, PALYRA_ICMPV6, kV6, "net.send icmpv6 2001:db8::1"},
  };
  for (const NameCase& each : cases) {
    const Denial denial = Name(Event(each.action, each.protocol, each.address, 0, 0));
    EXPECT_EQ(denial.action + ' ' + denial.protocol + ' ' + denial.address, each.expected);
  }
}

TEST_F(DenialsTest, BlameTheOutermostLayerAlone) {
  const Denial denial = Name(Event(PALYRA_NET_CONNECT, PALYRA_TCP, kV4, 80, 2));
  EXPECT_EQ(denial.layer, Layer::kMandatory);
  EXPECT_THAT(denial.policies, ElementsAre("policy0 (\"metadata\", mandatory:1)"));
}

TEST_F(DenialsTest, AnAllowHasThePermitsOfEachLayer) {
  const Denial allowed =
      DenialNames(rules_, layers_).NameAllowed(Event(PALYRA_NET_CONNECT, PALYRA_TCP, kV4, 80, 2));
  EXPECT_EQ(allowed.action, "net.connect");
  EXPECT_FALSE(allowed.layer);
  EXPECT_THAT(allowed.policies,
              ElementsAre("policy0 (\"metadata\", mandatory:1)", "policy0 (mine.cedar:1)"));
}

TEST_F(DenialsTest, NamesThatWereNotResolvedBeforeTheRunSayThat) {
  DenialSummary summary;
  summary.AddOfBroker(RefusedName("b.a.test", /*is_unpinned=*/true));
  EXPECT_EQ(summary.Line(0, 0),
            "denied: resolve b.a.test 1x (it was not resolved before the run); allow it with "
            "--allow-net b.a.test");
}

TEST_F(DenialsTest, KeepTheIdOfAPolicyThatIsNotThere) {
  EXPECT_THAT(Name(Event(PALYRA_NET_CONNECT, PALYRA_TCP, kV4, 80, 5)).policies,
              ElementsAre("policy99"));
}

TEST_F(DenialsTest, BlameNobodyForWhatNoPolicyCanPermit) {
  palyra_event odd = Event(PALYRA_NET_SEND, PALYRA_PROTOCOL_OTHER, kV6, 0, 0);
  odd.ip_protocol = 44;
  const Denial denial = Name(odd);
  EXPECT_EQ(denial.protocol, "protocol 44");
  EXPECT_FALSE(denial.layer);
  EXPECT_THAT(LineOf(odd), HasSubstr("no policy can permit it"));
  // A reason that the rules do not have, from an event that nobody should have sent.
  EXPECT_FALSE(Name(Event(PALYRA_NET_CONNECT, PALYRA_TCP, kV4, 80, 1000)).layer);
}

struct SocketCase {
  int family;
  int type;
  int protocol;
  std::string expected;
};

TEST_F(DenialsTest, NameKindsOfSockets) {
  const SocketCase cases[] = {
      {AF_INET, SOCK_RAW, 255, "raw ipv4 protocol 255"},
      {AF_INET6, SOCK_RAW, IPPROTO_ICMPV6, "raw ipv6 protocol 58"},
      {AF_INET, SOCK_STREAM, IPPROTO_SCTP, "unusual ipv4 protocol 132"},
      {AF_VSOCK, SOCK_STREAM, 0, "family 40"},
      {AF_PACKET, SOCK_RAW, 3, "family 17"},
  };
  for (const SocketCase& each : cases) {
    palyra_event event = {};
    event.action = PALYRA_SOCKET_CREATE;
    event.socket_family = static_cast<uint16_t>(each.family);
    event.socket_type = static_cast<uint32_t>(each.type);
    event.ip_protocol = static_cast<uint16_t>(each.protocol);
    const Denial denial = Name(event);
    EXPECT_EQ(denial.action, "socket.create");
    EXPECT_EQ(denial.protocol, each.expected);
    EXPECT_EQ(denial.address, "");
    EXPECT_FALSE(denial.layer);
    EXPECT_EQ(LineOf(event),
              "denied: socket.create " + each.expected + " 1x (no policy can permit it)");
  }
}

TEST_F(DenialsTest, SayHowToAllowIt) {
  const auto connect = [](const std::vector<int>& address, uint16_t port, uint32_t reason) {
    return Event(PALYRA_NET_CONNECT, PALYRA_TCP, address, port, reason);
  };
  EXPECT_EQ(LineOf(connect(kV4, 443, 0)),
            "denied: net.connect tcp 192.0.2.1:443 1x (no caller policy permits it); "
            "allow it with --allow-net 192.0.2.1:443");
  EXPECT_EQ(LineOf(connect(kV6, 443, 0)),
            "denied: net.connect tcp [2001:db8::1]:443 1x (no caller policy permits it); "
            "allow it with --allow-net [2001:db8::1]:443");
  EXPECT_EQ(
      LineOf(connect(kV4, 443, 1)),
      "denied: net.connect tcp 192.0.2.1:443 1x (by policy0 (mine.cedar:1), policy1 (\"two\", "
      "mine.cedar:2) of the caller policies); change that policy to allow it");
  EXPECT_EQ(
      LineOf(connect(kV4, 80, 2)),
      "denied: net.connect tcp 192.0.2.1:80 1x (by policy0 (\"metadata\", mandatory:1) of the "
      "mandatory policies)")
      << "there is no way, and none is offered";
  EXPECT_THAT(LineOf(connect(kV4, 80, 3)), HasSubstr("by policy1 (ops.cedar:2) of the operator"));
  EXPECT_THAT(LineOf(connect(kV4, 80, 4)), HasSubstr("no operator policy permits it"));
  for (const uint32_t reason : {3U, 4U}) {
    EXPECT_THAT(LineOf(connect(kV4, 80, reason)), HasSubstr(kOperatorPolicies));
    EXPECT_THAT(LineOf(connect(kV4, 80, reason)), Not(HasSubstr("--allow-net")));
  }
  EXPECT_THAT(LineOf(Event(PALYRA_NET_ACCEPT, PALYRA_TCP, kV4, 5000, 0)),
              HasSubstr("allow it by a permit for net.accept"))
      << "--allow-net would not help";
  EXPECT_THAT(LineOf(Event(PALYRA_NET_SEND, PALYRA_ICMP, kV4, 0, 0)),
              HasSubstr("icmp 192.0.2.1 1x (no caller policy permits it); allow it with "
                        "--allow-net 192.0.2.1"));
}

TEST_F(DenialsTest, AreNotMentionedWhereThereWereNone) { EXPECT_FALSE(DenialSummary().Line(0, 0)); }

TEST_F(DenialsTest, AreCountedAndTheMostFrequentComeFirst) {
  DenialSummary summary;
  for (uint16_t port = 1; port <= 5; ++port) {
    for (int i = 0; i < port; ++i) {
      summary.Add(Name(Event(PALYRA_NET_CONNECT, PALYRA_TCP, kV4, port, 0)));
    }
  }
  EXPECT_EQ(summary.Line(15, 0),
            "denied: net.connect tcp 192.0.2.1:5 5x (no caller policy permits it); "
            "net.connect tcp 192.0.2.1:4 4x (no caller policy permits it); "
            "net.connect tcp 192.0.2.1:3 3x (no caller policy permits it); 3 more; "
            "allow it with --allow-net 192.0.2.1:5");
}

TEST_F(DenialsTest, TellApartWhatDiffersInAnyPart) {
  DenialSummary summary;
  summary.Add(Name(Event(PALYRA_NET_CONNECT, PALYRA_TCP, kV4, 1, 0)));
  summary.Add(Name(Event(PALYRA_NET_CONNECT, PALYRA_UDP, kV4, 1, 0)));
  summary.Add(Name(Event(PALYRA_NET_SEND, PALYRA_UDP, kV4, 1, 0)));
  EXPECT_THAT(*summary.Line(3, 0), Not(HasSubstr("more")));
  EXPECT_THAT(*summary.Line(3, 0), Not(HasSubstr("2x")));
}

TEST_F(DenialsTest, SayWhatWasLost) {
  DenialSummary summary;
  summary.Add(Name(Event(PALYRA_NET_CONNECT, PALYRA_TCP, kV4, 1, 0)));
  EXPECT_THAT(*summary.Line(10, 9), HasSubstr("; 9 more (9 without details); allow it"));
  EXPECT_EQ(DenialSummary().Line(3, 3), "denied: 3 more (3 without details)");
}

// A tool decides how many different things it tries.
TEST_F(DenialsTest, StayShortWhateverAToolTries) {
  constexpr int kTries = 60'000;
  DenialSummary summary;
  for (int i = 1; i <= kTries; ++i) {
    summary.Add(Name(Event(PALYRA_NET_CONNECT, PALYRA_TCP, kV4, static_cast<uint16_t>(i), 0)));
  }
  // What came after the first few hundred kinds is counted, and not kept.
  for (int i = 0; i < 1000; ++i) summary.Add(Name(Event(PALYRA_NET_SEND, PALYRA_UDP, kV6, 9, 0)));
  const std::string line = *summary.Line(kTries + 1000, 0);
  EXPECT_LT(line.size(), 400U);
  EXPECT_THAT(line, HasSubstr("60997 more"));
  EXPECT_THAT(line, Not(HasSubstr("net.send")));
}

}  // namespace
}  // namespace palyra::cli
