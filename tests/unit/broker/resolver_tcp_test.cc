// Clients over TCP.

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <string>
#include <vector>

#include "tests/unit/broker/resolver_fixture.h"

namespace palyra::broker {
namespace {

using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;

Bytes Query(uint16_t id, std::string_view name = "www.example") {
  return Message(id, kRd).Question(name, kTypeA).bytes();
}

TEST(TcpServer, ReadsQueriesByteByByte) {
  const FakeServer server(Always({"8.8.8.8"}));
  RunningResolver const resolver({server.endpoint()}, PatientOptions());
  const TcpClient client(resolver);
  for (const uint8_t byte : Framed(Query(7))) {
    client.Send({byte});
    std::this_thread::sleep_for(1ms);
  }
  const Bytes reply = client.Receive();
  EXPECT_EQ(IdOf(reply), 7);
  EXPECT_EQ(AddressesIn(reply, "www.example", kTypeA), Texts{"8.8.8.8"});
}

TEST(TcpServer, AnswersQueriesThatComeTogether) {
  const FakeServer server(Always({"8.8.8.8"}));
  RunningResolver resolver({server.endpoint()}, PatientOptions());
  const TcpClient client(resolver);
  Bytes all;
  for (uint16_t id = 0; id < 20; ++id) {
    all = all + Framed(Query(id, "n" + std::to_string(id) + ".example"));
  }
  client.Send(all + Framed(Query(100, "denied.example")));
  client.Finish();
  std::map<int, int> rcodes;
  for (int i = 0; i < 21; ++i) {
    const Bytes reply = client.Receive();
    rcodes[IdOf(reply)] = RcodeOf(reply);
  }
  EXPECT_EQ(rcodes.size(), 21U);
  EXPECT_EQ(rcodes[19], 0);
  EXPECT_EQ(rcodes[100], 3);
  EXPECT_TRUE(client.IsClosed());
  EXPECT_EQ(resolver.Stop().tcp_queries, 21U);
}

TEST(TcpServer, IsNotTruncated) {
  Texts many;
  for (int i = 0; i < 64; ++i) many.push_back("8.8.8." + std::to_string(i));
  const FakeServer server(Always(many));
  RunningResolver const resolver({server.endpoint()}, PatientOptions());
  const TcpClient client(resolver);
  client.Send(Framed(Query(1)));
  EXPECT_EQ(AddressesIn(client.Receive(), "www.example", kTypeA), many);
}

TEST(TcpServer, ServesMoreThanAClientTakesAtOnce) {
  Texts many;
  for (int i = 0; i < 64; ++i) many.push_back("8.8.8." + std::to_string(i));
  const FakeServer server(Always(many));
  RunningResolver const resolver({server.endpoint()}, PatientOptions());
  const TcpClient client(resolver);
  client.Send(Framed(Query(0)));
  const size_t reply_size = client.Receive().size();
  // Some megabytes of replies, of which nothing is taken until all is asked or the pipe is full.
  constexpr uint16_t kCount = 6000;
  std::thread sender([&client] {
    for (uint16_t id = 0; id < kCount; ++id) client.Send(Framed(Query(id)));
  });
  std::this_thread::sleep_for(50ms);
  for (uint16_t id = 0; id < kCount; ++id) {
    const Bytes reply = client.Receive();
    ASSERT_EQ(IdOf(reply), id);
    ASSERT_EQ(reply.size(), reply_size);
  }
  sender.join();
}

TEST(TcpServer, ClosesClientsThatSendNoQueries) {
  const FakeServer server(Always({"8.8.8.8"}));
  RunningResolver resolver({server.endpoint()}, PatientOptions());
  for (const Bytes& bytes : {Bytes{0xff, 0xff}, Framed({}), Framed({1, 2, 3}),
                             Framed(Message(1, kQr).Question("a.b", kTypeA).bytes())}) {
    const TcpClient client(resolver);
    client.Send(bytes);
    EXPECT_TRUE(client.IsClosed());
  }
  EXPECT_EQ(resolver.Stop().tcp_clients_broken, 4U);
}

TEST(TcpServer, AnswersWhatIsMalformed) {
  const FakeServer server(Always({"8.8.8.8"}));
  RunningResolver const resolver({server.endpoint()}, PatientOptions());
  const TcpClient client(resolver);
  client.Send(Framed(Message(5, kRd).bytes()));
  EXPECT_EQ(RcodeOf(client.Receive()), 1);
}

TEST(TcpServer, ServesSoManyClientsAndNoMore) {
  const FakeServer server(Always({"8.8.8.8"}));
  ResolverOptions options = PatientOptions();
  options.max_tcp_clients = 3;
  RunningResolver resolver({server.endpoint()}, options);
  std::vector<TcpClient> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back(resolver).Send(Framed(Query(1)));
    EXPECT_EQ(AnswersOf(clients.back().Receive()), 1);
  }
  EXPECT_TRUE(TcpClient(resolver).IsClosed());
  clients[0].Finish();
  EXPECT_TRUE(clients[0].IsClosed());
  const TcpClient next(resolver);
  next.Send(Framed(Query(2)));
  EXPECT_EQ(AnswersOf(next.Receive()), 1);
  EXPECT_EQ(resolver.Stop().tcp_clients_refused, 1U);
}

TEST(TcpServer, ClosesIdleClientsEvenIfTheyDripBytes) {
  const FakeServer server(Always({"8.8.8.8"}));
  RunningResolver resolver({server.endpoint()}, PatientOptions());
  const TcpClient idle(resolver);
  idle.Send(Framed(Query(1)));
  EXPECT_EQ(AnswersOf(idle.Receive()), 1);
  const TcpClient dripping(resolver);
  dripping.Send({0});
  // Whoever is answered now has been seen after both.
  EXPECT_EQ(RcodeOf(UdpClient(resolver).Ask("denied", kTypeA)), 3);
  resolver.Advance(120s);
  dripping.Send({20});
  EXPECT_TRUE(idle.IsClosed());
  EXPECT_TRUE(dripping.IsClosed());
  EXPECT_EQ(resolver.Stop().tcp_clients_idle, 2U);
}

TEST(TcpServer, DoesNotMissAClientThatWentAway) {
  std::atomic<bool> open = false;
  const FakeServer server([&open](const Asked& asked) {
    while (!open) std::this_thread::sleep_for(1ms);
    return Always({"8.8.8.8"})(asked);
  });
  RunningResolver const resolver({server.endpoint()}, PatientOptions());
  {
    const TcpClient client(resolver);
    client.Send(Framed(Query(1)));
    server.WaitForCount(1);
  }
  const UdpClient other(resolver);
  other.Send(Query(2));
  EXPECT_EQ(RcodeOf(other.Ask("denied", kTypeA)), 3);
  open = true;
  EXPECT_EQ(AnswersOf(other.Receive()), 1);
}

}  // namespace
}  // namespace palyra::broker
