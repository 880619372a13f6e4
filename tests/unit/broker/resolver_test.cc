// What clients are answered, and what leaves.

#include "broker/resolver.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/broker/resolver_fixture.h"

namespace palyra::broker {
namespace {

using std::chrono_literals::operator""s;

const Bytes kOwner = WirePointer(kToQuestion);

TEST(Resolver, NeedsAServerAndASocket) {
  FakeAuthority authority;
  EXPECT_EQ(
      Resolver::Create({}, {{Address::V4({127, 0, 0, 1}), kDnsPort}}, {}, authority).error().code,
      ErrorCode::kInvalidArgument);
  ResolverSockets sockets;
  sockets.udp.push_back(OpenSocketPair().udp);
  EXPECT_EQ(Resolver::Create(std::move(sockets), {}, {}, authority).error().code,
            ErrorCode::kInvalidArgument);
}

TEST(Resolver, AnswersWithAddressesThatWereLearnedBefore) {
  const FakeServer server(Always({"8.8.8.8", "8.8.4.4", "2606:4700::1"}, 300));
  RunningResolver resolver({server.endpoint()}, PatientOptions());
  const UdpClient client(resolver);
  const Bytes v4 = client.Ask("www.example", kTypeA);
  EXPECT_EQ(AddressesIn(v4, "www.example", kTypeA), (Texts{"8.8.8.8", "8.8.4.4"}));
  EXPECT_EQ(TtlIn(v4, "www.example", kTypeA), 300s);
  EXPECT_EQ(IdOf(v4), 0x1111);
  const Bytes v6 = client.Ask("www.example", kTypeAaaa);
  EXPECT_EQ(AddressesIn(v6, "www.example", kTypeAaaa), Texts{"2606:4700::1"});
  EXPECT_EQ(resolver.authority().learned(),
            (std::vector<Learned>{{"www.example", {"8.8.8.8", "8.8.4.4"}, 300s},
                                  {"www.example", {"2606:4700::1"}, 300s}}));
}

TEST(Resolver, DoesNotLetADeniedNameLeave) {
  const FakeServer server(Always({"8.8.8.8"}));
  RunningResolver resolver({server.endpoint()}, PatientOptions());
  const UdpClient client(resolver);
  const Bytes denied = client.Ask("denied.example", kTypeA);
  EXPECT_EQ(RcodeOf(denied), 3);
  EXPECT_EQ(AnswersOf(denied), 0);
  // The control: another name is asked.
  EXPECT_EQ(RcodeOf(client.Ask("www.example", kTypeA)), 0);
  EXPECT_EQ(server.count(), 1U);
  EXPECT_EQ(resolver.authority().learned().size(), 1U);
  EXPECT_EQ(resolver.Stop().denied_names, 1U);
}

TEST(Resolver, SendsNothingOfTheClientsPacketButNameAndType) {
  const FakeServer server(Always({"8.8.8.8"}));
  RunningResolver const resolver({server.endpoint()}, PatientOptions());
  const Bytes secret = {0xfd, 0xe9, 0, 4, 's', 'e', 'c', 'r'};
  const Bytes packet = Message(0x5ec4, kRd | kCd)
                           .Question("WwW.eXaMpLe", kTypeA)
                           .Additional({0}, kTypeOpt, 4000, 0x8000, secret)
                           .bytes();
  const Bytes reply = UdpClient(resolver).Ask(packet);
  EXPECT_EQ(AddressesIn(reply, "www.example", kTypeA), Texts{"8.8.8.8"});
  ASSERT_EQ(server.count(), 1U);
  const Asked asked = server.asked()[0];
  EXPECT_EQ(asked.packet, Message(asked.id, kRd).Question("www.example", kTypeA).Opt(1232).bytes());
}

TEST(Resolver, ForwardsOnlySomeTypes) {
  const FakeServer server([](const Asked& asked) { return Messages{ResponseTo(asked).bytes()}; });
  RunningResolver resolver({server.endpoint()}, PatientOptions());
  const UdpClient client(resolver);
  const std::vector<uint16_t> refused = {2,  6,  10, 13,  15,  16,  29,  35,
                                         43, 48, 99, 251, 252, 255, 257, 65280};
  for (const uint16_t type : refused) {
    EXPECT_EQ(RcodeOf(client.Ask("www.example", type)), 5) << type;
  }
  EXPECT_EQ(RcodeOf(client.Ask("1.2.0.192.in-addr.arpa", kTypePtr)), 3);
  EXPECT_EQ(server.count(), 0U);
  const std::vector<uint16_t> forwarded = {kTypeA, kTypeAaaa, kTypeCname, kTypeSrv, 64, kTypeHttps};
  for (const uint16_t type : forwarded) {
    EXPECT_EQ(RcodeOf(client.Ask("www.example", type)), 0) << type;
  }
  EXPECT_EQ(server.count(), forwarded.size());
  EXPECT_EQ(resolver.Stop().refused_types, refused.size() + 1);
}

TEST(Resolver, AnswersWhatItDoesNotUnderstand) {
  const FakeServer server(Always({}));
  RunningResolver resolver({server.endpoint()}, PatientOptions());
  const UdpClient client(resolver);
  EXPECT_EQ(RcodeOf(client.Ask(Message(1, kRd).bytes())), 1);
  EXPECT_EQ(RcodeOf(client.Ask(Message(1, 5 << 11).bytes())), 4);
  EXPECT_EQ(RcodeOf(client.Ask(Message(1, kRd).Question("a.b", kTypeA, 3).bytes())), 5);
  EXPECT_EQ(RcodeOf(client.Ask("*.example", kTypeA)), 3);
  EXPECT_EQ(RcodeOf(client.Ask("192.0.2.1", kTypeA)), 3);
  EXPECT_EQ(RcodeOf(client.Ask(Bytes(12, 0) + Bytes(3000, 0xc0))), 1);
  // These have no reply; what comes next is that of the last.
  client.Send({1, 2, 3});
  client.Send(Message(7, kQr).Question("a.b", kTypeA).bytes());
  EXPECT_EQ(IdOf(client.Ask(Message(99, kRd).bytes())), 99);
  const ResolverCounters& counters = resolver.Stop();
  EXPECT_EQ(counters.udp_queries, 9U);
  EXPECT_EQ(counters.malformed_queries, 3U);
  EXPECT_EQ(counters.not_implemented, 1U);
  EXPECT_EQ(counters.wrong_classes, 1U);
  EXPECT_EQ(counters.bad_names, 2U);
  EXPECT_EQ(counters.dropped_short, 1U);
  EXPECT_EQ(counters.dropped_responses, 1U);
  EXPECT_EQ(server.count(), 0U);
}

TEST(Resolver, LearnsTheEndOfAChainUnderTheNameThatWasAsked) {
  const FakeServer server([](const Asked& asked) {
    return Messages{ResponseTo(asked)
                        .Answer(kOwner, kTypeCname, 100, WireName("denied.cdn"))
                        .Answer(WireName("denied.cdn"), kTypeA, 50, WireV4("8.8.8.8"))
                        .Answer(WireName("other.example"), kTypeA, 50, WireV4("8.8.9.9"))
                        .bytes()};
  });
  RunningResolver resolver({server.endpoint()}, PatientOptions());
  const Bytes reply = UdpClient(resolver).Ask("www.example", kTypeA);
  EXPECT_EQ(AddressesIn(reply, "www.example", kTypeA), Texts{"8.8.8.8"});
  EXPECT_EQ(AnswersOf(reply), 2);
  EXPECT_EQ(resolver.authority().learned(),
            (std::vector<Learned>{{"www.example", {"8.8.8.8"}, 50s}}));
}

TEST(Resolver, DropsSpecialAddressesThatNoRulePermits) {
  const FakeServer server(Always({"8.8.8.8", "10.0.0.1", "169.254.169.254", "127.0.0.1"}));
  RunningResolver resolver({server.endpoint()}, PatientOptions());
  resolver.authority().Reveal("10.0.0.1");
  const UdpClient client(resolver);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(AddressesIn(client.Ask("www.example", kTypeA), "www.example", kTypeA),
              (Texts{"8.8.8.8", "10.0.0.1"}));
  }
  for (const Learned& learned : resolver.authority().learned()) {
    EXPECT_EQ(learned.addresses, (Texts{"8.8.8.8", "10.0.0.1"}));
  }
  EXPECT_EQ(resolver.Stop().special_addresses, 4U);
}

TEST(Resolver, AnswersEmptyWhereAllIsSpecial) {
  const FakeServer server(Always({"10.0.0.1", "fd00:ec2::254", "::ffff:10.0.0.1"}));
  RunningResolver resolver({server.endpoint()}, PatientOptions());
  const UdpClient client(resolver);
  for (const uint16_t type : {kTypeA, kTypeAaaa}) {
    const Bytes reply = client.Ask(Message(5, kRd).Question("www.example", type).Opt(1232).bytes());
    EXPECT_EQ(RcodeOf(reply), 0);
    EXPECT_EQ(AnswersOf(reply), 0);
    // Extended error 17: filtered.
    EXPECT_EQ(Bytes(reply.end() - 6, reply.end()), Bytes({0, 15, 0, 2, 0, 17}));
  }
  EXPECT_TRUE(resolver.authority().learned().empty());
}

TEST(Resolver, TellsOnlyWhatWasLearned) {
  const FakeServer server(Always({"8.8.8.8", "10.0.0.1", "8.8.4.4", "8.8.6.6"}));
  RunningResolver resolver({server.endpoint()}, PatientOptions());
  resolver.authority().RefuseToLearn("8.8.4.4");
  const UdpClient client(resolver);
  EXPECT_EQ(AddressesIn(client.Ask("www.example", kTypeA), "www.example", kTypeA),
            (Texts{"8.8.8.8", "8.8.6.6"}));
  resolver.authority().RefuseToLearn("8.8.8.8");
  resolver.authority().RefuseToLearn("8.8.6.6");
  const Bytes none = client.Ask("www.example", kTypeA);
  EXPECT_EQ(RcodeOf(none), 0);
  EXPECT_EQ(AnswersOf(none), 0);
  EXPECT_EQ(server.count(), 1U);
  EXPECT_EQ(resolver.Stop().unlearned_addresses, 4U);
}

TEST(Resolver, ResolvesLocalhostItself) {
  const FakeServer server(Always({"8.8.8.8"}));
  RunningResolver resolver({server.endpoint()}, PatientOptions());
  const UdpClient client(resolver);
  EXPECT_EQ(AddressesIn(client.Ask("localhost", kTypeA), "localhost", kTypeA), Texts{"127.0.0.1"});
  EXPECT_EQ(AddressesIn(client.Ask("a.LOCALHOST", kTypeAaaa), "a.localhost", kTypeAaaa),
            Texts{"::1"});
  EXPECT_EQ(AnswersOf(client.Ask("localhost", kTypeSrv)), 0);
  EXPECT_EQ(server.count(), 0U);
  ASSERT_EQ(resolver.authority().learned().size(), 2U);
  EXPECT_EQ(resolver.authority().learned()[1].name, "a.localhost");
  resolver.authority().RefuseToLearn("127.0.0.1");
  EXPECT_EQ(AnswersOf(client.Ask("localhost", kTypeA)), 0);
}

TEST(Resolver, LeavesOutServersThatMayNotBeAsked) {
  const FakeServer server([](const Asked& asked) {
    return Messages{ResponseTo(asked)
                        .Answer(kOwner, kTypeSrv, 60, WireSrv(1, 80, "a.example"))
                        .Answer(kOwner, kTypeSrv, 60, WireSrv(2, 80, "denied.example"))
                        .bytes()};
  });
  RunningResolver resolver({server.endpoint()}, PatientOptions());
  const Bytes reply = UdpClient(resolver).Ask("_http._tcp.example", kTypeSrv);
  EXPECT_EQ(AnswersOf(reply), 1);
  EXPECT_EQ(resolver.Stop().denied_targets, 1U);
}

TEST(Resolver, LeavesOutServicesThatLeadElsewhereAndAllHints) {
  const Bytes hint = {0, 4, 0, 4, 8, 8, 8, 8};
  const FakeServer server([&hint](const Asked& asked) {
    return Messages{ResponseTo(asked)
                        .Answer(kOwner, kTypeHttps, 60, WireService(1, "", hint))
                        .Answer(kOwner, kTypeHttps, 60, WireService(0, "denied.example", {}))
                        .bytes()};
  });
  RunningResolver const resolver({server.endpoint()}, PatientOptions());
  const Bytes reply = UdpClient(resolver).Ask("www.example", kTypeHttps);
  // One record, of the priority and the root.
  EXPECT_EQ(reply,
            ResponseTo({.packet = {}, .id = 0x1111, .name = "www.example", .type = kTypeHttps})
                .Answer(kOwner, kTypeHttps, 60, {0, 1, 0})
                .bytes());
}

TEST(Resolver, LeavesOutAServiceAtTheEndOfADeniedChain) {
  const FakeServer server([](const Asked& asked) {
    return Messages{ResponseTo(asked)
                        .Answer(kOwner, kTypeCname, 60, WireName("denied.cdn"))
                        .Answer(WireName("denied.cdn"), kTypeHttps, 60, WireService(1, "", {}))
                        .bytes()};
  });
  RunningResolver const resolver({server.endpoint()}, PatientOptions());
  const Bytes reply = UdpClient(resolver).Ask("www.example", kTypeHttps);
  EXPECT_EQ(RcodeOf(reply), 0);
  EXPECT_EQ(AnswersOf(reply), 0);
}

TEST(Resolver, TruncatesToWhatAClientTakes) {
  Texts many;
  for (int i = 0; i < 64; ++i) many.push_back("8.8.8." + std::to_string(i));
  const FakeServer server(Always(many));
  RunningResolver const resolver({server.endpoint()}, PatientOptions());
  const UdpClient client(resolver);
  const Bytes small = client.Ask("www.example", kTypeA);
  EXPECT_TRUE(HasFlag(small, kTc));
  EXPECT_LE(small.size(), 512U);
  const Bytes large = client.Ask(Message(1, kRd).Question("www.example", kTypeA).Opt(4096).bytes());
  EXPECT_FALSE(HasFlag(large, kTc));
  EXPECT_EQ(AddressesIn(large, "www.example", kTypeA), many);
}

}  // namespace
}  // namespace palyra::broker
