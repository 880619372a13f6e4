// Servers that are slow, broken, gone or not who they say they are.

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <set>
#include <string>
#include <vector>

#include "broker/socket_address.h"
#include "tests/unit/broker/resolver_fixture.h"

namespace palyra::broker {
namespace {

using std::chrono_literals::operator""ms;

const Bytes kOwner = WirePointer(kToQuestion);

FakeServer::Script Silence() {
  return [](const Asked&) { return Messages(); };
}

FakeServer::Script Failing(uint16_t rcode) {
  return [rcode](const Asked& asked) { return Messages{ResponseTo(asked, rcode).bytes()}; };
}

Bytes RightAnswer(const Asked& asked) {
  return ResponseTo(asked).Answer(kOwner, kTypeA, 60, WireV4("8.8.8.8")).bytes();
}

Texts Ask(const RunningResolver& resolver) {
  return AddressesIn(UdpClient(resolver).Ask("www.example", kTypeA), "www.example", kTypeA);
}

TEST(Upstream, AsksTheNextServerAfterAFailure) {
  for (const uint16_t rcode : std::initializer_list<uint16_t>{1, 2, 4, 5}) {
    const FakeServer failing(Failing(rcode));
    const FakeServer working(Always({"8.8.8.8"}));
    RunningResolver resolver({failing.endpoint(), working.endpoint()}, PatientOptions());
    EXPECT_EQ(Ask(resolver), Texts{"8.8.8.8"});
    EXPECT_EQ(failing.count(), 1U);
    EXPECT_EQ(working.count(), 1U);
    EXPECT_EQ(resolver.Stop().failure_responses, 1U);
  }
}

TEST(Upstream, AsksTheServerThatAnsweredLastFirst) {
  const FakeServer failing(Failing(2));
  const FakeServer working(Always({"8.8.8.8"}));
  RunningResolver const resolver({failing.endpoint(), working.endpoint()}, PatientOptions());
  const UdpClient client(resolver);
  for (int i = 0; i < 5; ++i) (void)client.Ask("n" + std::to_string(i), kTypeA);
  EXPECT_EQ(failing.count(), 1U);
  EXPECT_EQ(working.count(), 5U);
}

TEST(Upstream, AsksTheNextServerAfterATimeout) {
  const FakeServer silent(Silence());
  const FakeServer working(Always({"8.8.8.8"}));
  RunningResolver resolver({silent.endpoint(), working.endpoint()}, HastyOptions());
  EXPECT_EQ(Ask(resolver), Texts{"8.8.8.8"});
  EXPECT_EQ(silent.count(), 1U);
  EXPECT_EQ(resolver.Stop().upstream_timeouts, 1U);
}

TEST(Upstream, AsksTheNextServerAtOnceWhereNobodyListens) {
  const Endpoint nobody{Address::V4({127, 0, 0, 1}), OpenSocketPair().port};
  const FakeServer working(Always({"8.8.8.8"}));
  RunningResolver resolver({nobody, working.endpoint()}, PatientOptions());
  EXPECT_EQ(Ask(resolver), Texts{"8.8.8.8"});
  EXPECT_EQ(resolver.Stop().upstream_errors, 1U);
}

TEST(Upstream, AsksTheNextServerAtOnceWhereThereIsNoRoute) {
  // A UDP socket may not be connected to it without SO_BROADCAST.
  const Endpoint unreachable{Address::V4({255, 255, 255, 255}), kDnsPort};
  const FakeServer working(Always({"8.8.8.8"}));
  RunningResolver resolver({unreachable, working.endpoint()}, PatientOptions());
  EXPECT_EQ(Ask(resolver), Texts{"8.8.8.8"});
  EXPECT_EQ(resolver.Stop().upstream_errors, 1U);
}

TEST(Upstream, GivesUpAfterAllRounds) {
  const FakeServer silent(Silence());
  const FakeServer failing(Failing(2));
  RunningResolver resolver({silent.endpoint(), failing.endpoint()}, HastyOptions());
  const Bytes reply = UdpClient(resolver).Ask("www.example", kTypeA);
  EXPECT_EQ(RcodeOf(reply), 2);
  EXPECT_EQ(silent.count(), 2U);
  EXPECT_EQ(failing.count(), 2U);
  EXPECT_TRUE(resolver.authority().learned().empty());
  EXPECT_EQ(resolver.Stop().unanswered, 1U);
}

TEST(Upstream, DoesWithoutEdnsInTheSecondRound) {
  const FakeServer old([](const Asked& asked) {
    const bool has_edns = U16At(asked.packet, 10) != 0;
    return Messages{has_edns ? Message(asked.id, kQr | 1).bytes() : RightAnswer(asked)};
  });
  RunningResolver const resolver({old.endpoint()}, PatientOptions());
  EXPECT_EQ(Ask(resolver), Texts{"8.8.8.8"});
  EXPECT_EQ(old.count(), 2U);
}

TEST(Upstream, AsksOverTcpWhatIsTruncated) {
  const FakeServer server([](const Asked& asked) {
    if (!asked.over_tcp) return Messages{ResponseTo(asked, kTc).bytes()};
    Message message = ResponseTo(asked);
    for (uint8_t i = 0; i < 100; ++i) message.Answer(kOwner, kTypeA, 60, {8, 8, 8, i});
    return Messages{message.bytes()};
  });
  RunningResolver resolver({server.endpoint()}, PatientOptions());
  const Bytes query = Message(1, kRd).Question("www.example", kTypeA).Opt(4096).bytes();
  const Bytes reply = UdpClient(resolver).Ask(query);
  EXPECT_EQ(AddressesIn(reply, "www.example", kTypeA).size(), 64U);
  EXPECT_EQ(server.count(), 2U);
  EXPECT_EQ(resolver.Stop().truncated_responses, 1U);
}

TEST(Upstream, FailsWhereTcpGivesNothing) {
  const FakeServer server([](const Asked& asked) {
    return asked.over_tcp ? Messages() : Messages{ResponseTo(asked, kTc).bytes()};
  });
  RunningResolver resolver({server.endpoint()}, PatientOptions());
  EXPECT_EQ(RcodeOf(UdpClient(resolver).Ask("www.example", kTypeA)), 2);
  EXPECT_EQ(resolver.Stop().upstream_errors, 2U);
}

TEST(Upstream, WaitsForTheAnswerWithTheRightIdAndQuestion) {
  const FakeServer server([](const Asked& asked) {
    Asked wrong_id = asked;
    wrong_id.id ^= 1;
    Asked wrong_name = asked;
    wrong_name.name = "evil.example";
    Asked wrong_type = asked;
    wrong_type.type = kTypeAaaa;
    const Bytes evil = WireV4("8.8.6.6");
    return Messages{ResponseTo(wrong_id).Answer(kOwner, kTypeA, 60, evil).bytes(),
                    ResponseTo(wrong_name).Answer(kOwner, kTypeA, 60, evil).bytes(),
                    ResponseTo(wrong_type).Answer(kOwner, kTypeA, 60, evil).bytes(),
                    Bytes{1, 2, 3},
                    asked.packet,
                    RightAnswer(asked)};
  });
  RunningResolver resolver({server.endpoint()}, PatientOptions());
  EXPECT_EQ(Ask(resolver), Texts{"8.8.8.8"});
  const ResolverCounters& counters = resolver.Stop();
  EXPECT_EQ(counters.wrong_ids, 1U);
  EXPECT_EQ(counters.unrelated_responses, 4U);
}

TEST(Upstream, AsksOverTcpWhenSomebodyGuesses) {
  const FakeServer server([](const Asked& asked) {
    if (asked.over_tcp) return Messages{RightAnswer(asked)};
    Messages guesses;
    for (uint16_t i = 1; i <= 8; ++i) {
      Asked guess = asked;
      guess.id = static_cast<uint16_t>(asked.id + i);
      guesses.push_back(ResponseTo(guess).Answer(kOwner, kTypeA, 60, WireV4("8.8.6.6")).bytes());
    }
    return guesses;
  });
  RunningResolver resolver({server.endpoint()}, PatientOptions());
  EXPECT_EQ(Ask(resolver), Texts{"8.8.8.8"});
  EXPECT_EQ(resolver.Stop().wrong_ids, 8U);
}

TEST(Upstream, DoesNotHearOthersThanTheServer) {
  const SocketPair other = OpenSocketPair();
  const FakeServer server([&other](const Asked& asked) {
    // Right in all but where it comes from, and before the server's.
    const Bytes forged = ResponseTo(asked).Answer(kOwner, kTypeA, 60, WireV4("8.8.6.6")).bytes();
    const SocketAddress resolver({Address::V4({127, 0, 0, 1}), asked.port});
    EXPECT_EQ(
        sendto(other.udp.get(), forged.data(), forged.size(), 0, resolver.get(), resolver.size()),
        std::ssize(forged));
    return Messages{RightAnswer(asked)};
  });
  RunningResolver const resolver({server.endpoint()}, PatientOptions());
  EXPECT_EQ(Ask(resolver), Texts{"8.8.8.8"});
}

TEST(Upstream, AsksFromManyPortsWithManyIds) {
  const FakeServer server(Always({"8.8.8.8"}));
  RunningResolver const resolver({server.endpoint()}, PatientOptions());
  const UdpClient client(resolver);
  for (int i = 0; i < 50; ++i) (void)client.Ask("n" + std::to_string(i), kTypeA);
  std::set<uint16_t> ports;
  std::set<uint16_t> ids;
  for (const Asked& asked : server.asked()) {
    ports.insert(asked.port);
    ids.insert(asked.id);
  }
  EXPECT_GT(ports.size(), 25U);
  EXPECT_GT(ids.size(), 45U);
}

TEST(Upstream, RefusesMalformedAnswersAndChainsThatLoop) {
  const FakeServer server([](const Asked& asked) {
    if (asked.name == "loop") {
      return Messages{ResponseTo(asked).Answer(kOwner, kTypeCname, 60, kOwner).bytes()};
    }
    return Messages{ResponseTo(asked).Answer(kOwner, kTypeA, 60, {8, 8}).bytes()};
  });
  RunningResolver resolver({server.endpoint()}, PatientOptions());
  const UdpClient client(resolver);
  EXPECT_EQ(RcodeOf(client.Ask("loop", kTypeA)), 2);
  EXPECT_EQ(RcodeOf(client.Ask("malformed", kTypeA)), 2);
  const ResolverCounters& counters = resolver.Stop();
  EXPECT_EQ(counters.bad_chains, 2U);
  EXPECT_EQ(counters.malformed_responses, 2U);
}

TEST(Upstream, IsAskedOnceForManyClients) {
  std::atomic<bool> open = false;
  const FakeServer server([&open](const Asked& asked) {
    while (!open) std::this_thread::sleep_for(1ms);
    return Messages{RightAnswer(asked)};
  });
  RunningResolver resolver({server.endpoint()}, PatientOptions());
  std::vector<UdpClient> clients;
  for (int i = 0; i < 10; ++i) {
    clients.emplace_back(resolver).Send(
        Message(static_cast<uint16_t>(i), kRd).Question("WWW.example", kTypeA).bytes());
  }
  // The last sends it again; then a question of its own, whose refusal says that all were read.
  clients.back().Send(Message(9, kRd).Question("WWW.example", kTypeA).bytes());
  EXPECT_EQ(RcodeOf(clients.back().Ask("denied.example", kTypeA)), 3);
  open = true;
  for (int i = 0; i < 10; ++i) {
    const Bytes reply = clients[static_cast<size_t>(i)].Receive();
    EXPECT_EQ(IdOf(reply), i);
    EXPECT_EQ(AddressesIn(reply, "www.example", kTypeA), Texts{"8.8.8.8"});
  }
  EXPECT_EQ(server.count(), 1U);
  const ResolverCounters& counters = resolver.Stop();
  EXPECT_EQ(counters.forwarded, 1U);
  EXPECT_EQ(counters.joined, 9U);
  EXPECT_EQ(counters.duplicates, 1U);
}

TEST(Upstream, IsBoundedUnderAFloodOfNames) {
  const FakeServer silent(Silence());
  ResolverOptions options = PatientOptions();
  options.max_in_flight = 16;
  RunningResolver resolver({silent.endpoint()}, options);
  const UdpClient client(resolver);
  for (int i = 0; i < 100; ++i) {
    client.Send(Message(1, kRd).Question("n" + std::to_string(i), kTypeA).bytes());
    if (i >= 16) {
      EXPECT_EQ(RcodeOf(client.Receive()), 2);
    }
  }
  silent.WaitForCount(16);
  // What is known or local is still answered.
  EXPECT_EQ(RcodeOf(client.Ask("localhost", kTypeA)), 0);
  EXPECT_EQ(silent.count(), 16U);
  EXPECT_EQ(resolver.Stop().overloaded, 84U);
}

TEST(Upstream, IsBoundedInClientsThatWait) {
  const FakeServer silent(Silence());
  ResolverOptions options = PatientOptions();
  options.max_waiting = 4;
  RunningResolver resolver({silent.endpoint()}, options);
  const UdpClient client(resolver);
  for (uint16_t i = 0; i < 6; ++i) {
    client.Send(Message(i, kRd).Question("www.example", kTypeA).bytes());
  }
  EXPECT_EQ(RcodeOf(client.Receive()), 2);
  EXPECT_EQ(RcodeOf(client.Receive()), 2);
  const ResolverCounters& counters = resolver.Stop();
  EXPECT_EQ(counters.joined, 3U);
  EXPECT_EQ(counters.overloaded, 2U);
}

}  // namespace
}  // namespace palyra::broker
