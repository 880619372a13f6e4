// What sockets keep of decisions (bpf/flow_cache.h) is believed only as long as the same would be
// decided again. In each test a flow has sent some packets before anything changes.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/seg6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <thread>

#include "engine/clock.h"
#include "engine/grants.h"
#include "engine/live_run.h"
#include "engine/profile_cache.h"
#include "tests/unit/engine/kernel_run.h"
#include "tests/unit/engine/net_caller.h"
#include "tests/unit/engine/own_kernel.h"
#include "tests/unit/engine/peer.h"

namespace palyra::engine {
namespace {

using policy::RuleSet;
using policy::Verdict;
using std::chrono::milliseconds;

constexpr const char* kHost = "203.0.112.5";
constexpr const char* kHost6 = "::1";
constexpr const char* kOther = "203.0.112.6";
constexpr const char* kOther6 = "2a0f:ffff::6";
constexpr int kPackets = 5;
constexpr milliseconds kLong{600'000};

std::string PermitDomain(const std::string& domain, uint16_t port) {
  return "permit (principal, action, resource in Palyra::Domain::\"" + domain +
         "\") when { resource.port == " + std::to_string(port) + " };\n";
}

Place At(const std::string& address, uint16_t port = 0) {
  return {.is_ipv6 = address.find(':') != std::string::npos, .address = address, .port = port};
}

uint64_t In(milliseconds time) {
  return NowBootNs() + static_cast<uint64_t>(time.count()) * 1'000'000;
}

// Where the two processes of a test wait for one another.
class Turn {
 public:
  Turn() {
    void* memory =
        mmap(nullptr, sizeof(*number_), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    number_ = new (memory) std::atomic<int>(0);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() { munmap(number_, sizeof(*number_)); }

  void Next() { ++*number_; }
  [[nodiscard]] bool Await(int number) const {
    return Eventually([this, number] { return number_->load() >= number; });
  }

 private:
  std::atomic<int>* number_;
};

int SendByte(int fd) { return send(fd, "x", 1, MSG_NOSIGNAL) == 1 ? 0 : errno; }

class FlowCacheTest : public KernelRunTest {
 protected:
  static void ReplaceWithoutCutting(LiveRun& run, const RuleSet& rules) {
    const Result<HeldProfile> profile = HoldProfile(Objects(), rules);
    ASSERT_TRUE(profile);
    const Result<UniqueFd> lock = Objects().LockRuns();
    ASSERT_TRUE(Objects().runs().Replace(run.cgroup().id(), profile->id(), 0));
  }

  // A UDP socket of the run is connected to `place` and has sent; then `change`, then what `last`
  // comes to with that socket: an errno.
  static int AfterSending(const LiveRun& run, const Place& place,
                          const std::function<void()>& change,
                          const std::function<int(int)>& last = SendByte) {
    Turn turn;
    const Inside client(run.cgroup().path(), [&] {
      const UniqueFd fd = ConnectTo(SOCK_DGRAM, place);
      if (!fd.valid()) return 1000 + errno;
      for (int i = 0; i < kPackets; ++i) {
        if (const int error = SendByte(fd.get()); error != 0) return 2000 + error;
      }
      turn.Next();
      if (!turn.Await(2)) return 3000;
      return last(fd.get());
    });
    EXPECT_TRUE(turn.Await(1));
    change();
    turn.Next();
    return client.Answer();
  }

  static constexpr auto kNothing = [] {};
};

TEST_F(FlowCacheTest, AFlowOfWhichNothingChangesGoesOn) {
  const LiveRun run = Start(Everything(Verdict::kAllow));
  for (const char* host : {kHost, kHost6}) {
    Place place = At(host);
    const UniqueFd server = Listen(SOCK_DGRAM, &place);
    EXPECT_EQ(AfterSending(run, place, kNothing), 0) << host;
  }
}

TEST_F(FlowCacheTest, NewRulesHoldForTheNextPacket) {
  for (const char* host : {kHost, kHost6}) {
    LiveRun run = Start(Everything(Verdict::kAllow));
    Place place = At(host);
    const UniqueFd server = Listen(SOCK_DGRAM, &place);
    EXPECT_EQ(
        AfterSending(run, place, [&] { ReplaceWithoutCutting(run, Everything(Verdict::kDeny)); }),
        EPERM);
    EXPECT_EQ(ReadWhatIsThere(server.get()), kPackets * 1U);
  }
}

TEST_F(FlowCacheTest, ARunWithoutTimeLeftSendsNothing) {
  const LiveRun run = Start(Everything(Verdict::kAllow));
  Place place = At(kHost);
  const UniqueFd server = Listen(SOCK_DGRAM, &place);
  const uint64_t end = In(milliseconds(300));
  EXPECT_TRUE(Objects().runs().SetDeadline(run.cgroup().id(), run.first_profile(), end));
  EXPECT_EQ(
      AfterSending(run, place, [&] { EXPECT_TRUE(Eventually([&] { return NowBootNs() > end; })); }),
      EPERM);
}

TEST_F(FlowCacheTest, ARunThatIsNoneAnyMoreSendsNothing) {
  const LiveRun run = Start(Everything(Verdict::kAllow));
  Place place = At(kHost);
  const UniqueFd server = Listen(SOCK_DGRAM, &place);
  EXPECT_EQ(AfterSending(run, place,
                         [&] {
                           const Result<UniqueFd> lock = Objects().LockRuns();
                           Objects().runs().Free(run.cgroup().id());
                         }),
            EPERM);
}

TEST_F(FlowCacheTest, ANameThatIsLearnedHoldsForOpenFlows) {
  const RuleSet rules = RulesFrom(
      "permit (principal, action, resource);\n"
      "forbid (principal, action, resource in Palyra::Domain::\"b.test\");\n");
  LiveRun run = Start(rules);
  RunNames& names = **run.UseBrokers({.resolver = {1, 2, 3, 4}, .relay = 0, .mark = 5}, {}, rules);
  Place place = At(kHost);
  const UniqueFd server = Listen(SOCK_DGRAM, &place);
  EXPECT_EQ(AfterSending(
                run, place,
                [&] { EXPECT_TRUE(names.Learn("b.test", AddressFrom(kHost), false, In(kLong))); }),
            EPERM);
}

TEST_F(FlowCacheTest, ANameThatEndsIsTakenFromOpenFlowsToAnAddressWithOthers) {
  Place place = At(kHost);
  const UniqueFd server = Listen(SOCK_DGRAM, &place);
  const RuleSet rules = RulesFrom(PermitDomain("a.test", place.port) + PermitDomain("b.test", 1));
  LiveRun run = Start(rules);
  RunNames& names = **run.UseBrokers({.resolver = {1, 2, 3, 4}, .relay = 0, .mark = 5}, {}, rules);
  const uint64_t end = In(milliseconds(300));
  ASSERT_TRUE(names.Learn("a.test", AddressFrom(kHost), false, end));
  ASSERT_TRUE(names.Learn("b.test", AddressFrom(kHost), false, In(kLong)));
  EXPECT_EQ(AfterSending(run, place,
                         [&] {
                           EXPECT_TRUE(Eventually([&] { return NowBootNs() > end; }));
                           names.Expire();
                         }),
            EPERM);
}

TEST_F(FlowCacheTest, AGrantIsAskedForEachTime) {
  const LiveRun run = Start(Everything(Verdict::kAsk));
  Place place = At(kHost);
  const UniqueFd server = Listen(SOCK_DGRAM, &place);
  constexpr milliseconds kLifetime{300};
  const uint64_t end = In(kLifetime);
  ASSERT_TRUE(
      AddGrant(Objects(), run.cgroup().id(),
               {.resource = EventFor(policy::NetAction::kConnect, policy::Protocol::kUdp, place),
                .lifetime = kLifetime}));
  const auto wait_until_it_ends = [end] {
    EXPECT_TRUE(Eventually([end] { return NowBootNs() > end + 50'000'000; }));
  };
  EXPECT_EQ(AfterSending(run, place, wait_until_it_ends), EPERM);
}

RuleSet OnlyTheHost() {
  return RulesFrom(
      std::string("permit (principal, action, resource) when { resource.address == ip(\"") + kHost +
      "\") || resource.address == ip(\"" + kHost6 + "\") };\n");
}

TEST_F(FlowCacheTest, TheSameSocketToAnotherHostIsJudgedAnew) {
  const LiveRun run = Start(OnlyTheHost());
  Place place = At(kHost);
  const UniqueFd server = Listen(SOCK_DGRAM, &place);
  const UniqueFd other = [&] {
    Place there = At(kOther, place.port);
    return Listen(SOCK_DGRAM, &there);
  }();
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(place.port);
  inet_pton(AF_INET, kOther, &address.sin_addr);
  const auto* target = reinterpret_cast<const sockaddr*>(&address);
  EXPECT_EQ(AfterSending(run, place, kNothing,
                         [&](int fd) {
                           return sendto(fd, "x", 1, 0, target, sizeof(address)) < 0 ? errno : 0;
                         }),
            EPERM);
  EXPECT_EQ(AfterSending(run, place, kNothing,
                         [&](int fd) {
                           return connect(fd, target, sizeof(address)) < 0 ? errno : SendByte(fd);
                         }),
            EPERM);
  EXPECT_EQ(ReadWhatIsThere(other.get()), 0U);
}

int SourceRouteOver(int fd, const char* via) {
  std::array<uint8_t, 8> option = {IPOPT_NOP, IPOPT_LSRR, 7, 4};
  inet_pton(AF_INET, via, &option[4]);
  return setsockopt(fd, IPPROTO_IP, IP_OPTIONS, option.data(), option.size());
}

int SegmentRouteOver(int fd, const char* via) {
  std::array<uint8_t, sizeof(ipv6_sr_hdr) + 2 * sizeof(in6_addr)> bytes = {};
  ipv6_sr_hdr header = {};
  header.hdrlen = (bytes.size() / 8) - 1;
  header.type = 4;
  header.segments_left = 1;
  header.first_segment = 1;
  std::memcpy(bytes.data(), &header, sizeof(header));
  inet_pton(AF_INET6, via, bytes.data() + sizeof(header) + sizeof(in6_addr));
  return setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, bytes.data(), bytes.size());
}

// The socket's peer stays what it was; the packet goes elsewhere.
TEST_F(FlowCacheTest, ASourceRouteThatComesLaterIsSeen) {
  for (const bool is_ipv6 : {false, true}) {
    const LiveRun run = Start(OnlyTheHost());
    Place place = At(is_ipv6 ? kHost6 : kHost);
    const UniqueFd server = Listen(SOCK_DGRAM, &place);
    EXPECT_EQ(AfterSending(run, place, kNothing,
                           [&](int fd) {
                             const int set = is_ipv6 ? SegmentRouteOver(fd, kOther6)
                                                     : SourceRouteOver(fd, kOther);
                             return set != 0 ? 4000 + errno : SendByte(fd);
                           }),
              EPERM)
        << is_ipv6;
  }
}

// A connect() to an address with a name passes whatever the port; its packets do not. One thread
// exchanges the peer while others send, for a second.
TEST_F(FlowCacheTest, NoPacketGoesToAPeerThatIsExchangedMeanwhile) {
  Place allowed = At(kHost);
  const UniqueFd server = Listen(SOCK_DGRAM, &allowed);
  Place denied = At(kHost);
  const UniqueFd other = Listen(SOCK_DGRAM, &denied);
  const RuleSet rules = RulesFrom(PermitDomain("a.test", allowed.port));
  LiveRun run = Start(rules);
  ASSERT_TRUE((*run.UseBrokers({.resolver = {1, 2, 3, 4}, .relay = 0, .mark = 5}, {}, rules))
                  ->Learn("a.test", AddressFrom(kHost), false, In(kLong)));
  const Inside client(run.cgroup().path(), [&] {
    const UniqueFd fd = ConnectTo(SOCK_DGRAM, allowed);
    std::atomic<bool> stop = false;
    const auto send_on = [&] {
      while (!stop) (void)SendByte(fd.get());
    };
    std::thread first(send_on);
    std::thread second(send_on);
    const auto exchange_with = [&](const Place& place) {
      sockaddr_in address = {};
      address.sin_family = AF_INET;
      address.sin_port = htons(place.port);
      inet_pton(AF_INET, kHost, &address.sin_addr);
      return connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
    };
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    int exchanged = 0;
    while (std::chrono::steady_clock::now() < end) {
      if (exchange_with(denied) == 0 && exchange_with(allowed) == 0) ++exchanged;
    }
    stop = true;
    first.join();
    second.join();
    return exchanged;
  });
  EXPECT_GT(client.Answer(), 100);
  EXPECT_GT(ReadWhatIsThere(server.get()), 0U);
  EXPECT_EQ(ReadWhatIsThere(other.get()), 0U) << "it heard what was not for it";
}

}  // namespace
}  // namespace palyra::engine
