// Who reaches what through the relay, and who does not.

#include "broker/relay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/broker/hellos.h"
#include "tests/unit/broker/relay_rig.h"

namespace palyra::tests {
namespace {

using broker::RelayEvent;
using broker::RelayReason;
using testing::HasSubstr;
using testing::StartsWith;
using Outcome = RelayEvent::Outcome;

constexpr std::string_view kForbidden = "HTTP/1.1 403 Forbidden\r\n";

TEST(Relay, PassesTheFirstBytesOnUnchanged) {
  const Upstream upstream;
  RelayRig rig;
  rig.Allow("a.test", upstream);
  const std::string hello = OpenSslHello("A.Test");
  const Peer client = rig.Connect();
  ASSERT_TRUE(client.Send(hello));
  const Peer server = upstream.Accept();
  ASSERT_TRUE(server.valid());
  EXPECT_EQ(server.Read(hello.size()), hello);
  ASSERT_TRUE(server.Send("answer"));
  EXPECT_EQ(client.Read(6), "answer");
  ASSERT_TRUE(client.Send("opaque"));
  EXPECT_EQ(server.Read(6), "opaque");

  const auto events = rig.authority().Events(1);
  EXPECT_EQ(events[0].outcome, Outcome::kAllowed);
  EXPECT_EQ(events[0].name, "a.test");
  EXPECT_EQ(events[0].destination, upstream.endpoint());
}

TEST(Relay, TakesAHelloThatComesByteByByte) {
  const Upstream upstream;
  RelayRig rig;
  rig.Allow("a.test", upstream);
  const std::string hello = Hello(ServerName("a.test"));
  const Peer client = rig.Connect();
  for (const char byte : hello) {
    ASSERT_TRUE(client.Send({&byte, 1}));
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  EXPECT_EQ(upstream.Accept().Read(hello.size()), hello);
}

TEST(Relay, CarriesTheEndOfEachDirection) {
  const Upstream upstream;
  RelayRig rig;
  rig.Allow("a.test", upstream);
  const std::string hello = Hello(ServerName("a.test"));
  {
    const Peer client = rig.Connect();
    ASSERT_TRUE(client.Send(hello));
    client.End();
    const Peer server = upstream.Accept();
    EXPECT_EQ(server.ReadAll(), hello);
    ASSERT_TRUE(server.Send("after the end"));
    server.End();
    EXPECT_EQ(client.ReadAll(), "after the end");
  }
  {
    const Peer client = rig.Connect();
    ASSERT_TRUE(client.Send(hello));
    const Peer server = upstream.Accept();
    server.End();
    EXPECT_EQ(client.ReadAll(), "");
    ASSERT_TRUE(client.Send("still"));
    client.End();
    EXPECT_EQ(server.ReadAll(), hello + "still");
  }
  EXPECT_TRUE(rig.WaitForOpen(0));
}

TEST(Relay, ConnectsToTheNameAndNotToTheAddressOfTheClient) {
  const Upstream wanted;
  const Upstream real;
  RelayRig rig;
  rig.authority().destination = wanted.endpoint();
  rig.authority().addresses["a.test"] = {real.endpoint()};
  const Peer client = rig.Connect();
  ASSERT_TRUE(client.Send(Get("a.test:" + std::to_string(wanted.endpoint().port))));
  EXPECT_THAT(real.Accept().Read(4), "GET ");
  EXPECT_TRUE(wanted.Untouched());
}

struct Denied {
  std::string_view name;
  std::string bytes;
  RelayReason reason;
  std::string reply;  // What it starts with; "" is a reset.
};

std::string Alert(uint8_t description) {
  return std::string("\x15\x03\x03\x00\x02\x02", 6) + static_cast<char>(description);
}

std::vector<Denied> DeniedClients() {
  const std::string forbidden(kForbidden);
  return {
      {"other name", Hello(ServerName("b.test")), RelayReason::kNameNotAllowed, Alert(112)},
      {"no name", OpenSslHello(""), RelayReason::kNoServerName, Alert(112)},
      {"address", Hello(ServerName("127.0.0.1")), RelayReason::kBadName, Alert(112)},
      {"NUL in the name", Hello(ServerName(std::string("a.test\0.b.test", 14))),
       RelayReason::kBadName, Alert(112)},
      {"ECH", Hello(ServerName("a.test") + Extension(0xfe0d, "x")), RelayReason::kEncryptedHello,
       Alert(49)},
      {"two names", Hello(ServerName("a.test") + ServerName("b.test")), RelayReason::kBadHello,
       Alert(50)},
      {"another protocol", "SSH-2.0-OpenSSH_9.2\r\n", RelayReason::kNotTlsOrHttp, ""},
      {"binary", std::string("\0\1\2\3", 4), RelayReason::kNotTlsOrHttp, ""},
      {"TLS without a handshake", Record("x", 23), RelayReason::kNotTlsOrHttp, ""},
      {"other host", Get("b.test"), RelayReason::kNameNotAllowed, forbidden},
      {"host is an address", Get("127.0.0.1"), RelayReason::kBadName, forbidden},
      {"host with another port", Get("a.test:1"), RelayReason::kOtherPort, forbidden},
      {"no host", "GET / HTTP/1.1\r\n\r\n", RelayReason::kBadRequest, forbidden},
      {"CONNECT", "CONNECT a.test:1 HTTP/1.1\r\nHost: a.test\r\n\r\n", RelayReason::kBadRequest,
       forbidden},
      {"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", RelayReason::kBadRequest, forbidden},
      {"upgrade", "GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\n\r\n",
       RelayReason::kBadRequest, forbidden},
  };
}

TEST(Relay, TellsADeniedClientWhyAndTouchesNoUpstream) {
  const Upstream upstream;
  for (const Denied& denied : DeniedClients()) {
    RelayRig rig;
    rig.Allow("a.test", upstream);
    const Peer client = rig.Connect();
    ASSERT_TRUE(client.Send(denied.bytes)) << denied.name;
    if (denied.reply.empty()) {
      EXPECT_TRUE(client.WasReset()) << denied.name;
    } else {
      EXPECT_THAT(client.ReadAll(), StartsWith(denied.reply)) << denied.name;
      client.End();
    }
    const auto events = rig.authority().Events(1);
    EXPECT_EQ(events[0].outcome, Outcome::kDenied) << denied.name;
    EXPECT_EQ(events[0].reason, denied.reason)
        << denied.name << ": " << RelayReasonText(events[0].reason);
    EXPECT_TRUE(rig.WaitForOpen(0)) << denied.name;
    EXPECT_TRUE(upstream.Untouched()) << denied.name;
  }
}

TEST(Relay, SaysInTheBodyWhichNameIsDenied) {
  const Upstream upstream;
  RelayRig rig;
  rig.Allow("a.test", upstream);
  const Peer client = rig.Connect();
  ASSERT_TRUE(client.Send(Get("B.test") + std::string(100000, 'x')));
  EXPECT_THAT(client.ReadAll(), HasSubstr("\r\n\r\npalyra: b.test: the name is not one that this "
                                          "run may reach\n"));
}

TEST(Relay, ResetsAClientWhoseDestinationIsUnknown) {
  RelayRig rig;
  const Peer client = rig.Connect();
  EXPECT_TRUE(client.WasReset());
  EXPECT_EQ(rig.authority().Events(1)[0].reason, RelayReason::kUnknownDestination);
}

TEST(Relay, ChecksEachRequestOfAConnection) {
  const Upstream upstream;
  RelayRig rig;
  rig.Allow("a.test", upstream);
  rig.authority().addresses["b.test"] = {upstream.endpoint()};
  const std::string first = "POST /1 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nbody";
  const std::string second = Get("a.test", "/2");
  for (const std::string& denied :
       {Get("b.test", "/3"), Get("c.test", "/3"), std::string("GET /3 HTTP/1.1\r\n\r\n"),
        std::string("junk behind\r\n")}) {
    const Peer client = rig.Connect();
    std::string all = first;
    all += second;
    all += denied;
    ASSERT_TRUE(client.Send(all));
    const Peer server = upstream.Accept();
    // The end of the stream comes in place of the denied request.
    EXPECT_EQ(server.ReadAll(), first + second);
    ASSERT_TRUE(server.Send("answers"));
    server.End();
    EXPECT_EQ(client.ReadAll(), "answers");
  }
  const auto events = rig.authority().Events(8);
  EXPECT_EQ(events[1].outcome, Outcome::kDenied);
  EXPECT_EQ(events[1].reason, RelayReason::kOtherHost);
  EXPECT_EQ(events[3].reason, RelayReason::kOtherHost);
  EXPECT_EQ(events[5].reason, RelayReason::kBadRequest);
  EXPECT_EQ(events[7].reason, RelayReason::kNotTlsOrHttp);
}

TEST(Relay, CutsOffWhatIsNotAllowedAnyMore) {
  const Upstream upstream;
  RelayRig rig;
  rig.Allow("a.test", upstream);
  rig.authority().addresses["b.test"] = {upstream.endpoint()};
  for (const bool is_tls : {true, false}) {
    const auto first = [&](const char* name) {
      return is_tls ? Hello(ServerName(name)) : Get(name);
    };
    const Peer revoked = rig.Connect();
    ASSERT_TRUE(revoked.Send(first("a.test")));
    const Peer revoked_server = upstream.Accept();
    ASSERT_EQ(revoked_server.Read(first("a.test").size()), first("a.test"));
    const Peer kept = rig.Connect();
    ASSERT_TRUE(kept.Send(first("b.test")));
    const Peer kept_server = upstream.Accept();
    ASSERT_EQ(kept_server.Read(first("b.test").size()), first("b.test"));
    const Peer silent = rig.Connect();
    ASSERT_TRUE(rig.WaitForOpen(3));

    rig.authority().addresses.erase("a.test");
    rig.AskAgain();
    EXPECT_TRUE(revoked.WasReset());
    EXPECT_TRUE(revoked_server.WasReset());
    ASSERT_TRUE(kept_server.Send("answer"));
    EXPECT_EQ(kept.Read(6), "answer");
    ASSERT_TRUE(silent.Send(first("a.test")));
    EXPECT_FALSE(silent.ReadAll().empty()) << "why not";
    EXPECT_TRUE(upstream.Untouched());
    rig.authority().addresses["a.test"] = {upstream.endpoint()};
    rig.AskAgain();
    ASSERT_TRUE(kept_server.Send("answer"));
    EXPECT_EQ(kept.Read(6), "answer");
    kept.End();
    kept_server.End();
    silent.End();
    ASSERT_TRUE(rig.WaitForOpen(0));
  }
  const auto events = rig.authority().Events(8);
  EXPECT_EQ(events[2].outcome, Outcome::kDenied);
  EXPECT_EQ(events[2].reason, RelayReason::kNameNotAllowed);
  EXPECT_EQ(events[2].name, "a.test");
}

// The client wanted to go elsewhere, where the name may still lead.
TEST(Relay, ResetsWhatIsConnectedToAnAddressThatIsDeniedNow) {
  const Upstream upstream;
  RelayRig rig;
  rig.Allow("a.test", upstream);
  rig.authority().destination = Loopback(1);
  rig.authority().addresses["a.test"] = {Loopback(1), upstream.endpoint()};
  const Peer client = rig.Connect();
  ASSERT_TRUE(client.Send(Get("a.test")));
  const Peer server = upstream.Accept();
  EXPECT_EQ(server.Read(Get("a.test").size()), Get("a.test"));
  rig.AskAgain();
  ASSERT_TRUE(server.Send("answer"));
  EXPECT_EQ(client.Read(6), "answer");

  rig.authority().addresses["a.test"] = {Loopback(1)};
  rig.AskAgain();
  EXPECT_TRUE(client.WasReset());
  EXPECT_TRUE(server.WasReset());
}

TEST(Relay, TriesTheAddressesInTurn) {
  const Upstream upstream;
  RelayRig rig;
  rig.Allow("a.test", upstream);
  // Nobody listens at port 1.
  rig.authority().addresses["a.test"] = {Loopback(1), Loopback(1), upstream.endpoint()};
  const Peer client = rig.Connect();
  ASSERT_TRUE(client.Send(Get("a.test")));
  EXPECT_EQ(upstream.Accept().Read(3), "GET");
}

TEST(Relay, TellsTheClientThatNoAddressAnswers) {
  const Upstream upstream;
  RelayRig rig;
  rig.Allow("a.test", upstream);
  rig.authority().addresses["a.test"] = {Loopback(1)};
  rig.authority().addresses["none.test"] = {};
  const Peer http = rig.Connect();
  ASSERT_TRUE(http.Send(Get("a.test")));
  EXPECT_THAT(http.ReadAll(), StartsWith("HTTP/1.1 502 Bad Gateway\r\n"));
  const Peer tls = rig.Connect();
  ASSERT_TRUE(tls.Send(Hello(ServerName("none.test"))));
  EXPECT_EQ(tls.ReadAll(), Alert(80));
  const auto events = rig.authority().Events(4);
  EXPECT_EQ(events[1].outcome, Outcome::kFailed);
  EXPECT_EQ(events[1].reason, RelayReason::kUnreachable);
  EXPECT_EQ(events[3].reason, RelayReason::kNoAddress);
}

TEST(Relay, CarriesAReset) {
  const Upstream upstream;
  RelayRig rig;
  rig.Allow("a.test", upstream);
  for (const bool by_client : {true, false}) {
    Peer client = rig.Connect();
    ASSERT_TRUE(client.Send(Hello(ServerName("a.test"))));
    Peer server = upstream.Accept();
    ASSERT_EQ(server.Read(1), "\x16");
    Peer& who = by_client ? client : server;
    const Peer& other = by_client ? server : client;
    if (by_client) (void)server.Read(Hello(ServerName("a.test")).size() - 1);
    who.Reset();
    EXPECT_TRUE(other.WasReset());
    EXPECT_TRUE(rig.WaitForOpen(0));
  }
}

}  // namespace
}  // namespace palyra::tests
