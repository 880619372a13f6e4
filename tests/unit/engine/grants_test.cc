#include "engine/grants.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "engine/live_run.h"
#include "tests/unit/engine/kernel_run.h"
#include "tests/unit/engine/net_caller.h"
#include "tests/unit/engine/own_kernel.h"
#include "tests/unit/engine/peer.h"

namespace palyra::engine {
namespace {

using policy::NetAction;
using policy::NetEvent;
using policy::Protocol;
using policy::Verdict;
using std::chrono::milliseconds;

NetEvent Udp(NetAction action, const std::string& address, uint16_t port, bool is_ipv6 = false) {
  return EventFor(action, Protocol::kUdp, {.is_ipv6 = is_ipv6, .address = address, .port = port});
}

NetEvent Connect(const std::string& address, uint16_t port) {
  return Udp(NetAction::kConnect, address, port);
}

class GrantsTest : public KernelRunTest {
 protected:
  static LiveRun Start(Verdict verdict) { return KernelRunTest::Start(Everything(verdict)); }

  static void Give(const LiveRun& run, const NetEvent& resource, uint32_t uses = 0,
                   std::optional<milliseconds> lifetime = std::nullopt) {
    const Result<void> given = AddGrant(Objects(), run.cgroup().id(),
                                        {.resource = resource, .lifetime = lifetime, .uses = uses});
    ASSERT_TRUE(given) << given.error().message;
  }
};

TEST_F(GrantsTest, AnAskWithoutOneIsADeny) {
  const LiveRun run = Start(Verdict::kAsk);
  const NetCaller caller(run.cgroup().path());
  EXPECT_EQ(caller.Try(Connect("127.0.0.1", 9)), EPERM);
}

TEST_F(GrantsTest, AllowsExactlyItsResource) {
  const LiveRun run = Start(Verdict::kAsk);
  const NetCaller caller(run.cgroup().path());
  Give(run, Connect("127.0.0.5", 50));
  EXPECT_EQ(caller.Try(Connect("127.0.0.5", 50)), 0);
  EXPECT_EQ(caller.Try(Connect("127.0.0.5", 50)), 0);
  EXPECT_EQ(caller.Try(Connect("127.0.0.5", 51)), EPERM);
  EXPECT_EQ(caller.Try(Connect("127.0.0.5", 49)), EPERM);
  EXPECT_EQ(caller.Try(Connect("127.0.0.4", 50)), EPERM);
  EXPECT_EQ(caller.Try(Connect("127.0.0.6", 50)), EPERM);
  EXPECT_EQ(caller.Try(Udp(NetAction::kSend, "127.0.0.5", 50)), EPERM);
  NetEvent tcp = Connect("127.0.0.5", 50);
  tcp.protocol = Protocol::kTcp;
  EXPECT_EQ(caller.Try(tcp), EPERM);
  EXPECT_EQ(caller.Try(Udp(NetAction::kConnect, "7f00:5::", 50, true)), EPERM);
}

TEST_F(GrantsTest, AllowsIpv6AndMappedAddressesAsWhatTheyAre) {
  const LiveRun run = Start(Verdict::kAsk);
  const NetCaller caller(run.cgroup().path());
  Give(run, Udp(NetAction::kSend, "::1", 50, true));
  EXPECT_EQ(caller.Try(Udp(NetAction::kSend, "::1", 50, true)), 0);
  Give(run, Udp(NetAction::kSend, "127.0.0.5", 50));
  EXPECT_EQ(caller.Try(Udp(NetAction::kSend, "::ffff:127.0.0.5", 50, true)), 0);
}

TEST_F(GrantsTest, NeverBeatsADeny) {
  LiveRun run = Start(Verdict::kDeny);
  const NetCaller caller(run.cgroup().path());
  Give(run, Connect("127.0.0.5", 50));
  EXPECT_EQ(caller.Try(Connect("127.0.0.5", 50)), EPERM);
  // Nor once the rules that asked have gone.
  ASSERT_TRUE(run.Replace(Everything(Verdict::kAsk)));
  EXPECT_EQ(caller.Try(Connect("127.0.0.5", 50)), 0);
  ASSERT_TRUE(run.Replace(Everything(Verdict::kDeny)));
  EXPECT_EQ(caller.Try(Connect("127.0.0.5", 50)), EPERM);
}

TEST_F(GrantsTest, IsForOneRunAlone) {
  const LiveRun run = Start(Verdict::kAsk);
  const LiveRun neighbour = Start(Verdict::kAsk);
  const NetCaller own(run.cgroup().path());
  const NetCaller other(neighbour.cgroup().path());
  Give(run, Connect("127.0.0.5", 50));
  Give(neighbour, Connect("127.0.0.6", 50));
  EXPECT_EQ(own.Try(Connect("127.0.0.5", 50)), 0);
  EXPECT_EQ(other.Try(Connect("127.0.0.5", 50)), EPERM);
}

TEST_F(GrantsTest, EndsAtItsTime) {
  const LiveRun run = Start(Verdict::kAsk);
  const NetCaller caller(run.cgroup().path());
  Give(run, Connect("127.0.0.5", 50), 0, milliseconds(60'000));
  Give(run, Connect("127.0.0.6", 50), 0, milliseconds(1));
  std::this_thread::sleep_for(milliseconds(5));
  EXPECT_EQ(caller.Try(Connect("127.0.0.5", 50)), 0);
  EXPECT_EQ(caller.Try(Connect("127.0.0.6", 50)), EPERM);
  // Given again, it begins again.
  Give(run, Connect("127.0.0.6", 50));
  EXPECT_EQ(caller.Try(Connect("127.0.0.6", 50)), 0);
}

TEST_F(GrantsTest, EndsWhenItIsRevokedAndItsConnectionsWithIt) {
  const LiveRun run = Start(Verdict::kAsk);
  Place place = {.is_ipv6 = false, .address = "127.0.0.5", .port = 0};
  const UniqueFd server = Listen(SOCK_STREAM, &place);
  const NetEvent resource = EventFor(NetAction::kConnect, Protocol::kTcp, place);
  Give(run, resource);
  const Inside client(run.cgroup().path(), [&place] {
    const UniqueFd fd = ConnectTo(SOCK_STREAM, place);
    if (!fd.valid()) return errno;
    char byte = 0;
    return recv(fd.get(), &byte, 1, 0) < 0 ? errno : 0;
  });
  const UniqueFd peer = AcceptFrom(server.get());
  ASSERT_TRUE(RevokeGrant(Objects(), run.cgroup(), resource));
  EXPECT_EQ(client.Answer(), ECONNABORTED);
  const Result<void> again = RevokeGrant(Objects(), run.cgroup(), resource);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kNotFound);
}

TEST_F(GrantsTest, OnceIsOneConnectionAndAllItsPackets) {
  const LiveRun run = Start(Verdict::kAsk);
  Place place = {.is_ipv6 = false, .address = "127.0.0.5", .port = 0};
  const UniqueFd server = Listen(SOCK_STREAM, &place);
  Give(run, EventFor(NetAction::kConnect, Protocol::kTcp, place), 1);
  const auto talk = [&place] {
    const UniqueFd fd = ConnectTo(SOCK_STREAM, place);
    if (!fd.valid()) return errno;
    char byte = 0;
    for (int i = 0; i < 10; ++i) {
      if (send(fd.get(), "x", 1, 0) != 1 || recv(fd.get(), &byte, 1, 0) != 1) return 1000;
    }
    return 0;
  };
  const Inside first(run.cgroup().path(), talk);
  const UniqueFd peer = AcceptFrom(server.get());
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(ReadWithin(peer.get(), kPatience), 1U);
    ASSERT_EQ(send(peer.get(), "y", 1, 0), 1);
  }
  EXPECT_EQ(first.Answer(), 0);
  const Inside second(run.cgroup().path(), talk);
  EXPECT_EQ(second.Answer(), EPERM);
  const std::vector<Grant> grants = ListGrants(Objects(), run.cgroup().id());
  ASSERT_EQ(grants.size(), 1U);
  EXPECT_EQ(grants[0].uses, 1U);
  EXPECT_EQ(grants[0].used, 1U);
  EXPECT_FALSE(grants[0].left);
}

TEST_F(GrantsTest, ALimitedOneIsUsedUpExactly) {
  const LiveRun run = Start(Verdict::kAsk);
  const NetCaller caller(run.cgroup().path());
  Give(run, Udp(NetAction::kSend, "127.0.0.5", 50), 3);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(caller.Try(Udp(NetAction::kSend, "127.0.0.5", 50)), 0);
  EXPECT_EQ(caller.Try(Udp(NetAction::kSend, "127.0.0.5", 50)), EPERM);
  Give(run, Connect("127.0.0.5", 50), 2);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(caller.Try(Connect("127.0.0.5", 50)), 0);
  EXPECT_EQ(caller.Try(Connect("127.0.0.5", 50)), EPERM);
}

TEST_F(GrantsTest, ASocketThatIsConnectedAnewTakesAnotherUse) {
  const LiveRun run = Start(Verdict::kAsk);
  Place place = {.is_ipv6 = false, .address = "127.0.0.5", .port = 0};
  const UniqueFd server = Listen(SOCK_DGRAM, &place);
  Give(run, Connect(place.address, place.port), 1);
  const Inside caller(run.cgroup().path(), [&place] {
    const UniqueFd fd = ConnectTo(SOCK_DGRAM, place);
    if (!fd.valid() || send(fd.get(), "x", 1, 0) != 1) return 1000;
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(place.port);
    inet_pton(AF_INET, place.address.c_str(), &address.sin_addr);
    const auto* name = reinterpret_cast<const sockaddr*>(&address);
    if (connect(fd.get(), name, sizeof(address)) == 0) return 1001;
    if (errno != EPERM) return errno;
    // What the first call took is not there for packets any more.
    return send(fd.get(), "x", 1, 0) == 1 ? 1002 : errno;
  });
  EXPECT_EQ(caller.Answer(), EPERM);
}

TEST_F(GrantsTest, ManyAtOnceTakeNoMoreUsesThanThereAre) {
  constexpr uint32_t kUses = 50;
  constexpr int kCallers = 4;
  const LiveRun run = Start(Verdict::kAsk);
  Give(run, Connect("127.0.0.5", 50), kUses);
  std::vector<std::unique_ptr<Inside>> callers;
  for (int i = 0; i < kCallers; ++i) {
    callers.push_back(std::make_unique<Inside>(run.cgroup().path(), [] {
      int allowed = 0;
      const Place place = {.is_ipv6 = false, .address = "127.0.0.5", .port = 50};
      for (int call = 0; call < 100; ++call)
        allowed += ConnectTo(SOCK_DGRAM, place).valid() ? 1 : 0;
      return allowed;
    }));
  }
  int allowed = 0;
  for (const auto& caller : callers) allowed += caller->Answer();
  EXPECT_EQ(allowed, static_cast<int>(kUses));
}

TEST_F(GrantsTest, WhatCannotBeCountedIsRefused) {
  const LiveRun run = Start(Verdict::kAsk);
  NetEvent accept = Connect("127.0.0.5", 50);
  accept.action = NetAction::kAccept;
  NetEvent udplite = Connect("127.0.0.5", 50);
  udplite.protocol = Protocol::kUdplite;
  for (const NetEvent& resource : {accept, udplite}) {
    const Result<void> given = AddGrant(
        Objects(), run.cgroup().id(), {.resource = resource, .lifetime = std::nullopt, .uses = 1});
    ASSERT_FALSE(given);
    EXPECT_EQ(given.error().code, ErrorCode::kInvalidArgument);
    Give(run, resource);
  }
  const Result<void> late = AddGrant(Objects(), run.cgroup().id(),
                                     {.resource = accept, .lifetime = milliseconds(0), .uses = 0});
  EXPECT_FALSE(late);
}

TEST_F(GrantsTest, AcceptsAPeer) {
  // The peer's port is known before it connects.
  const LiveRun run = Start(Verdict::kAsk);
  Place client_place = {.is_ipv6 = false, .address = "127.0.0.7", .port = 0};
  {
    const UniqueFd probe = Listen(SOCK_DGRAM, &client_place);
  }
  Give(run, EventFor(NetAction::kAccept, Protocol::kUdp, client_place));
  Place server_place = {.is_ipv6 = false, .address = "127.0.0.8", .port = 0};
  {
    const UniqueFd probe = Listen(SOCK_DGRAM, &server_place);
  }
  Give(run, EventFor(NetAction::kBind, Protocol::kUdp, server_place));
  const Inside server(run.cgroup().path(), [&server_place] {
    Place own = server_place;
    const UniqueFd fd = Listen(SOCK_DGRAM, &own);
    return static_cast<int>(ReadWithin(fd.get(), milliseconds(5000)));
  });
  const UniqueFd client = Listen(SOCK_DGRAM, &client_place);
  sockaddr_in to = {};
  to.sin_family = AF_INET;
  to.sin_port = htons(server_place.port);
  to.sin_addr.s_addr = htonl(0x7f000008);
  std::atomic<int> answer = -1;
  std::thread asker([&] { answer = server.Answer(); });
  for (int i = 0; i < 50 && answer == -1; ++i) {
    (void)sendto(client.get(), "x", 1, 0, reinterpret_cast<sockaddr*>(&to), sizeof(to));
    std::this_thread::sleep_for(milliseconds(10));
  }
  asker.join();
  EXPECT_GT(answer, 0);
}

TEST_F(GrantsTest, OfARunThatEndedIsRefused) {
  uint64_t cgroup = 0;
  {
    const LiveRun run = Start(Verdict::kAsk);
    cgroup = run.cgroup().id();
    Give(run, Connect("127.0.0.5", 50));
    EXPECT_EQ(ListGrants(Objects(), cgroup).size(), 1U);
  }
  EXPECT_TRUE(ListGrants(Objects(), cgroup).empty());
  const Result<void> given =
      AddGrant(Objects(), cgroup,
               {.resource = Connect("127.0.0.5", 50), .lifetime = std::nullopt, .uses = 0});
  ASSERT_FALSE(given);
  EXPECT_EQ(given.error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace palyra::engine
