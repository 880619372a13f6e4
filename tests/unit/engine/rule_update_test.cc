// Rules that change under a run: from one decision to the next, whole or not at all, and with them
// the connections that are open.

#include "engine/rule_update.h"

#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/flows.h"
#include "engine/live_run.h"
#include "engine/profile_cache.h"
#include "tests/support/require_feature.h"
#include "tests/unit/engine/bpf_fault.h"
#include "tests/unit/engine/net_caller.h"
#include "tests/unit/engine/own_kernel.h"
#include "tests/unit/engine/peer.h"
#include "tests/unit/engine/random_rules.h"

namespace palyra::engine {
namespace {

using policy::NetAction;
using policy::NetEvent;
using policy::Protocol;
using policy::RuleSet;
using policy::Verdict;
using std::chrono::milliseconds;

// Long enough for a packet on the way.
constexpr milliseconds kSettle{50};

const RuleSet kAllowAll = Everything(Verdict::kAllow);
const RuleSet kDenyAll = Everything(Verdict::kDeny);

// Sends until it cannot, and gives the errno.
int SendUntilError(int fd) {
  while (true) {
    if (send(fd, "x", 1, MSG_NOSIGNAL) < 0) return errno;
    std::this_thread::sleep_for(milliseconds(1));
  }
}

// Waits for something to come; 0 for bytes, else the errno; EPIPE for the end.
int AwaitBytes(int fd) {
  char byte = 0;
  const ssize_t size = recv(fd, &byte, 1, 0);
  return size > 0 ? 0 : size < 0 ? errno : EPIPE;
}

class RuleUpdateTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (tests::JudgeHere(tests::Root()) == tests::Requirement::kMet) EnterNetworkWhereAllIsLocal();
  }

  void SetUp() override { PALYRA_REQUIRE_FEATURE(tests::Root()); }

  void TearDown() override {
    if (IsSkipped()) return;
    EXPECT_TRUE(OwnKernel::Get().HoldsWholeProfilesOnly());
  }

  static const KernelObjects& Objects() { return OwnKernel::Get().objects(); }

  static LiveRun Start(const RuleSet& rules) {
    Result<LiveRun> run = LiveRun::Create(OwnKernel::Get().host(), Objects(), rules);
    EXPECT_TRUE(run) << run.error().message;
    return *std::move(run);
  }

  static Replacement Replace(LiveRun& run, const RuleSet& rules) {
    Result<Replacement> replaced = run.Replace(rules);
    EXPECT_TRUE(replaced) << replaced.error().message;
    if (!replaced) return {};
    EXPECT_FALSE(replaced->cut) << replaced->cut->message;
    return *replaced;
  }

  // Changes the rules and leaves open connections to the programs alone.
  static void ReplaceWithoutCutting(LiveRun& run, const RuleSet& rules) {
    const Result<HeldProfile> profile = HoldProfile(Objects(), rules);
    ASSERT_TRUE(profile);
    const Result<UniqueFd> lock = Objects().LockRuns();
    ASSERT_TRUE(Objects().runs().Replace(run.cgroup().id(), profile->id(), 0));
  }

  static uint32_t InForce(const LiveRun& run) {
    return Objects().runs().ProfileOf(run.cgroup().id()).value_or(0);
  }

  static NetEvent Loopback(uint16_t port) {
    return EventFor(NetAction::kConnect, Protocol::kUdp,
                    {.is_ipv6 = false, .address = "127.0.0.1", .port = port});
  }
};

TEST_F(RuleUpdateTest, IsInForceAtTheNextCall) {
  LiveRun run = Start(kAllowAll);
  const NetCaller caller(run.cgroup().path());
  constexpr int kRounds = 20;
  for (int round = 0; round < kRounds; ++round) {
    ASSERT_EQ(caller.Try(Loopback(9)), 0);
    (void)Replace(run, kDenyAll);
    ASSERT_EQ(caller.Try(Loopback(9)), EPERM);
    (void)Replace(run, kAllowAll);
  }
}

TEST_F(RuleUpdateTest, EventsNameTheProfileThatTheyWereJudgedBy) {
  RuleSet other = kDenyAll;
  other.reasons[1].layers[0].policy_ids = {"other"};
  LiveRun run = Start(kDenyAll);
  const NetCaller caller(run.cgroup().path());
  EXPECT_EQ(caller.Try(Loopback(1)), EPERM);
  const Replacement replaced = Replace(run, other);
  EXPECT_EQ(replaced.previous, run.first_profile());
  EXPECT_NE(replaced.profile, replaced.previous);
  EXPECT_EQ(caller.Try(Loopback(2)), EPERM);
  std::vector<uint32_t> profiles;
  run.events().Drain([&](const palyra_event& event) { profiles.push_back(event.profile); },
                     1 << 16);
  EXPECT_EQ(profiles, (std::vector{replaced.previous, replaced.profile}));
}

TEST_F(RuleUpdateTest, WorksFromAnotherProcessByTheRunsId) {
  const LiveRun run = Start(kDenyAll);
  const NetCaller caller(run.cgroup().path());
  ASSERT_EQ(caller.Try(Loopback(9)), EPERM);
  EXPECT_TRUE(ReplaceRulesOfRun(Objects(), run.id(), kAllowAll));
  EXPECT_EQ(caller.Try(Loopback(9)), 0);
}

TEST_F(RuleUpdateTest, OfARunThatHasEndedIsRefused) {
  std::string id;
  {
    const LiveRun run = Start(kDenyAll);
    id = run.id();
  }
  for (const std::string& name : {id, std::string(32, 'a')}) {
    const Result<Replacement> replaced = ReplaceRulesOfRun(Objects(), name, kAllowAll);
    ASSERT_FALSE(replaced);
    EXPECT_EQ(replaced.error().code, ErrorCode::kNotFound);
  }
  for (const std::string name : {"", "..", "../../x"}) {
    const Result<Replacement> replaced = ReplaceRulesOfRun(Objects(), name, kAllowAll);
    ASSERT_FALSE(replaced);
    EXPECT_EQ(replaced.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST_F(RuleUpdateTest, WithoutRoomTheOldRulesStay) {
  LiveRun run = Start(kAllowAll);
  RuleSet greedy = kDenyAll;
  greedy.reasons.assign(PALYRA_MAX_REASONS - 100, greedy.reasons[0]);
  const LiveRun neighbour = Start(greedy);
  RuleSet large = kDenyAll;
  large.reasons.assign(200, large.reasons[0]);
  const Result<Replacement> refused = run.Replace(large);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kExhausted);
  EXPECT_EQ(InForce(run), run.first_profile());
  const NetCaller caller(run.cgroup().path());
  EXPECT_EQ(caller.Try(Loopback(9)), 0);
}

// At each call into the kernel in turn, a failure and a death: one of the two policies is in force,
// whole; after a failure that was told, the old one.
TEST_F(RuleUpdateTest, IsWholeOrNotAtAllWhereverItFails) {
  // Tables of its own: what is left is looked for in all of them, each time.
  const OwnKernel kernel("palyra-test-" + std::to_string(getpid()) + "-whole");
  RandomRules random(21);
  for (const Fault fault : {Fault::kNoMemory, Fault::kKilled}) {
    bool reached_the_end = false;
    for (int at = 0; !reached_the_end; ++at) {
      ASSERT_LT(at, 1000);
      const RuleSet old_rules = random.Rules();
      const RuleSet new_rules = random.Rules();
      Result<LiveRun> started = LiveRun::Create(kernel.host(), kernel.objects(), old_rules);
      ASSERT_TRUE(started) << started.error().message;
      LiveRun run = *std::move(started);
      const Faulted faulted =
          RunWithFault([&] { return run.Replace(new_rules) ? 0 : 1; }, fault, at);
      reached_the_end = faulted.calls < at || (fault == Fault::kKilled && faulted.status == 0);
      const bool is_new =
          kernel.objects().runs().ProfileOf(run.cgroup().id()) != run.first_profile();
      EXPECT_FALSE(faulted.status == 1 && is_new) << at;
      EXPECT_FALSE(faulted.status == 0 && !is_new) << at;
      const RuleSet& rules = is_new ? new_rules : old_rules;
      const NetCaller caller(run.cgroup().path());
      for (int i = 0; i < 5; ++i) {
        NetEvent event = random.Event(rules);
        event.action = NetAction::kConnect;
        event.protocol = Protocol::kUdp;
        event = Canonical(event);
        const bool allowed = policy::Decide(rules, event).verdict == Verdict::kAllow;
        EXPECT_EQ(caller.Try(event) != EPERM, allowed) << at << '\n' << policy::DumpText(rules);
      }
      if (kernel.Entries().at("unfinished") != 0) SweepUnfinishedProfiles(kernel.objects());
      ASSERT_TRUE(kernel.HoldsWholeProfilesOnly()) << at;
    }
  }
}

struct Kind {
  const char* name;
  int type;
  const char* address;
  bool is_ipv6;
};

void PrintTo(const Kind& kind, std::ostream* stream) { *stream << kind.name; }

class OpenFlow : public RuleUpdateTest, public testing::WithParamInterface<Kind> {
 protected:
  static Place PlaceOf(const Kind& kind) {
    return {.is_ipv6 = kind.is_ipv6, .address = kind.address, .port = 0};
  }

  // The server's end of a connection that the client opens: for UDP the bound socket itself.
  static UniqueFd Accept(UniqueFd& server) {
    return GetParam().type == SOCK_STREAM ? AcceptFrom(server.get()) : std::move(server);
  }
};

TEST_P(OpenFlow, ThatIsDeniedNowEndsWithAnErrorAndNoByteMore) {
  LiveRun run = Start(kAllowAll);
  Place place = PlaceOf(GetParam());
  UniqueFd server = Listen(GetParam().type, &place);
  const Inside client(run.cgroup().path(), [&place] {
    const UniqueFd fd = ConnectTo(GetParam().type, place);
    return fd.valid() ? SendUntilError(fd.get()) : errno;
  });
  const UniqueFd peer = Accept(server);
  ASSERT_GT(ReadWithin(peer.get(), kPatience), 0U);

  const Replacement replaced = Replace(run, kDenyAll);
  // Of a datagram its sender learns at once, and may be gone before the sockets are looked at.
  if (GetParam().type == SOCK_STREAM) {
    EXPECT_EQ(replaced.flows_cut, 1U);
  }
  (void)ReadWhatIsThere(peer.get());  // What came before.
  const int error = client.Answer();
  EXPECT_TRUE(error == ECONNABORTED || error == EPIPE || error == EPERM || error == ECONNRESET ||
              error == EDESTADDRREQ)
      << error;
  std::this_thread::sleep_for(kSettle);
  EXPECT_EQ(ReadWhatIsThere(peer.get()), 0U);
}

TEST_P(OpenFlow, ThatWaitsForItsPeerIsWokenByAnError) {
  LiveRun run = Start(kAllowAll);
  Place place = PlaceOf(GetParam());
  UniqueFd server = Listen(GetParam().type, &place);
  const Inside client(run.cgroup().path(), [&place] {
    const UniqueFd fd = ConnectTo(GetParam().type, place);
    if (send(fd.get(), "x", 1, 0) != 1) return errno;
    return AwaitBytes(fd.get());
  });
  const UniqueFd peer = Accept(server);
  ASSERT_EQ(ReadWithin(peer.get(), kPatience), 1U);
  EXPECT_EQ(Replace(run, kDenyAll).flows_cut, 1U);
  EXPECT_EQ(client.Answer(), ECONNABORTED);
}

TEST_P(OpenFlow, ThatIsStillAllowedGoesOn) {
  LiveRun run = Start(kAllowAll);
  Place place = PlaceOf(GetParam());
  UniqueFd server = Listen(GetParam().type, &place);
  const Inside client(run.cgroup().path(), [&place] {
    const UniqueFd fd = ConnectTo(GetParam().type, place);
    return fd.valid() ? SendUntilError(fd.get()) : errno;
  });
  const UniqueFd peer = Accept(server);
  RuleSet other = kAllowAll;
  other.reasons[1].layers[0].policy_ids = {"other"};
  EXPECT_EQ(Replace(run, other).flows_cut, 0U);
  (void)ReadWhatIsThere(peer.get());
  EXPECT_GT(ReadWithin(peer.get(), kPatience), 0U);
}

// What the programs do where the socket is not destroyed: nothing comes in either.
TEST_P(OpenFlow, ThatIsDeniedNowIsNotHeardEither) {
  LiveRun run = Start(kAllowAll);
  Place place = PlaceOf(GetParam());
  UniqueFd server = Listen(GetParam().type, &place);
  std::array<char, 8> hello = {};
  const Inside client(run.cgroup().path(), [&place] {
    const UniqueFd fd = ConnectTo(GetParam().type, place);
    if (send(fd.get(), "x", 1, 0) != 1) return errno;
    // Told before the change, and silence after it.
    if (AwaitBytes(fd.get()) != 0) return 1000;
    return static_cast<int>(ReadWithin(fd.get(), milliseconds(400))) + 2000;
  });
  const UniqueFd peer = Accept(server);
  sockaddr_storage from = {};
  socklen_t size = sizeof(from);
  ASSERT_EQ(recvfrom(peer.get(), hello.data(), 1, 0, reinterpret_cast<sockaddr*>(&from), &size), 1);
  if (GetParam().type == SOCK_DGRAM) {
    ASSERT_EQ(connect(peer.get(), reinterpret_cast<sockaddr*>(&from), size), 0);
  }
  // The rules change between two bytes of the peer's.
  ASSERT_EQ(send(peer.get(), "1", 1, 0), 1);
  std::this_thread::sleep_for(kSettle);
  ReplaceWithoutCutting(run, kDenyAll);
  ASSERT_EQ(send(peer.get(), "2", 1, MSG_NOSIGNAL), 1);
  EXPECT_EQ(client.Answer(), 2000) << "it was heard";
}

TEST_P(OpenFlow, ThatWasAcceptedEndsToo) {
  LiveRun run = Start(kAllowAll);
  if (GetParam().type != SOCK_STREAM) return;  // Datagrams are not accepted.
  Place place = PlaceOf(GetParam());
  {
    const UniqueFd probe = Listen(SOCK_STREAM, &place);  // A free port.
  }
  const Inside server(run.cgroup().path(), [&place] {
    Place own = place;
    const UniqueFd listener = Listen(SOCK_STREAM, &own);
    const UniqueFd fd = AcceptFrom(listener.get());
    return SendUntilError(fd.get());
  });
  UniqueFd client;
  ASSERT_TRUE(Eventually([&] {
    client = ConnectTo(SOCK_STREAM, place);
    return client.valid();
  }));
  ASSERT_GT(ReadWithin(client.get(), kPatience), 0U);
  EXPECT_EQ(Replace(run, kDenyAll).flows_cut, 2U) << "the connection and its listener";
  EXPECT_NE(server.Answer(), -1);
  (void)ReadWhatIsThere(client.get());
  std::this_thread::sleep_for(kSettle);
  EXPECT_EQ(ReadWhatIsThere(client.get()), 0U);
}

INSTANTIATE_TEST_SUITE_P(Of, OpenFlow,
                         testing::Values(Kind{"Tcp4", SOCK_STREAM, "127.0.0.2", false},
                                         Kind{"Tcp6", SOCK_STREAM, "::1", true},
                                         Kind{"TcpMapped", SOCK_STREAM, "::ffff:127.0.0.2", true},
                                         Kind{"Udp4", SOCK_DGRAM, "127.0.0.2", false},
                                         Kind{"Udp6", SOCK_DGRAM, "::1", true}),
                         [](const testing::TestParamInfo<Kind>& parameter) {
                           return parameter.param.name;
                         });

TEST_F(RuleUpdateTest, ConnectionsInCgroupsBelowAndInOtherNamespacesEndToo) {
  LiveRun run = Start(kAllowAll);
  const std::string inner = run.cgroup().path() + "/inner";
  ASSERT_EQ(mkdir(inner.c_str(), 0755), 0);
  void* memory = mmap(nullptr, sizeof(std::atomic<bool>), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto* is_open = new (memory) std::atomic<bool>(false);
  const Inside pair(inner, [is_open] {
    if (unshare(CLONE_NEWNET) != 0) return 1000 + errno;
    const UniqueFd control(socket(AF_INET, SOCK_DGRAM, 0));
    ifreq lo = {};
    std::copy_n("lo", 3, lo.ifr_name);
    lo.ifr_flags = IFF_UP;
    if (ioctl(control.get(), SIOCSIFFLAGS, &lo) != 0) return 2000 + errno;
    Place place = {.is_ipv6 = false, .address = "127.0.0.1", .port = 0};
    const UniqueFd listener = Listen(SOCK_STREAM, &place);
    const UniqueFd client = ConnectTo(SOCK_STREAM, place);
    const UniqueFd server = AcceptFrom(listener.get());
    is_open->store(true);
    return AwaitBytes(client.get());
  });
  ASSERT_TRUE(Eventually([is_open] { return is_open->load(); }));
  EXPECT_EQ(Replace(run, kDenyAll).flows_cut, 3U) << "both ends and the listener are the run's";
  EXPECT_EQ(pair.Answer(), ECONNABORTED);
  munmap(memory, sizeof(std::atomic<bool>));
}

TEST_F(RuleUpdateTest, AListenerThatMayListenNoMoreEnds) {
  RuleSet no_listening = kAllowAll;
  no_listening.classes[0].spans[0].actions &= static_cast<uint8_t>(~PALYRA_NET_LISTEN);
  for (const char* address : {"127.0.0.4", "::"}) {
    LiveRun run = Start(kAllowAll);
    Place place = {.is_ipv6 = address[0] == ':', .address = address, .port = 0};
    {
      const UniqueFd probe = Listen(SOCK_STREAM, &place);  // A free port.
    }
    const Inside server(run.cgroup().path(), [&place] {
      Place own = place;
      const UniqueFd listener = Listen(SOCK_STREAM, &own);
      const UniqueFd first = AcceptFrom(listener.get());
      return accept(listener.get(), nullptr, nullptr) < 0 ? errno : 0;
    });
    ASSERT_TRUE(Eventually([&place] { return ConnectTo(SOCK_STREAM, place).valid(); }));
    ASSERT_TRUE(Eventually([&] { return Replace(run, no_listening).flows_cut > 0; })) << address;
    EXPECT_EQ(server.Answer(), EINVAL) << address;
  }
}

TEST_F(RuleUpdateTest, ConnectionsOfOtherRunsAndOfNobodyGoOn) {
  LiveRun run = Start(kAllowAll);
  const LiveRun neighbour = Start(kAllowAll);
  Place place = {.is_ipv6 = false, .address = "127.0.0.2", .port = 0};
  const UniqueFd server = Listen(SOCK_STREAM, &place);
  const UniqueFd own = ConnectTo(SOCK_STREAM, place);
  const UniqueFd own_peer = AcceptFrom(server.get());
  const Inside other(neighbour.cgroup().path(), [&place] {
    const UniqueFd fd = ConnectTo(SOCK_STREAM, place);
    return SendUntilError(fd.get());
  });
  const UniqueFd peer = AcceptFrom(server.get());
  EXPECT_EQ(Replace(run, kDenyAll).flows_cut, 0U);
  (void)ReadWhatIsThere(peer.get());
  EXPECT_GT(ReadWithin(peer.get(), kPatience), 0U);
  EXPECT_EQ(send(own.get(), "x", 1, MSG_NOSIGNAL), 1);
  EXPECT_EQ(ReadWithin(own_peer.get(), kPatience), 1U);
}

// A socket without a peer hears whom the run may send to or accept from.
TEST_F(RuleUpdateTest, ADatagramFromADeniedSourceIsNotHeard) {
  const auto heard = [](const RuleSet& rules) {
    const LiveRun run = Start(rules);
    Place place = {.is_ipv6 = false, .address = "127.0.0.3", .port = 0};
    {
      const UniqueFd probe = Listen(SOCK_DGRAM, &place);  // A free port.
    }
    const Inside server(run.cgroup().path(), [&place] {
      Place own = place;
      const UniqueFd fd = Listen(SOCK_DGRAM, &own);
      return static_cast<int>(ReadWithin(fd.get(), milliseconds(400)));
    });
    const auto end = std::chrono::steady_clock::now() + milliseconds(300);
    while (std::chrono::steady_clock::now() < end) {
      const UniqueFd fd = ConnectTo(SOCK_DGRAM, place);
      (void)send(fd.get(), "x", 1, 0);
      std::this_thread::sleep_for(milliseconds(20));
    }
    return server.Answer();
  };
  const auto only = [](NetAction action) {
    RuleSet rules = kAllowAll;
    rules.classes[0].spans[0].actions =
        static_cast<uint8_t>(PALYRA_NET_BIND | 1U << static_cast<unsigned>(action));
    return rules;
  };
  EXPECT_GT(heard(kAllowAll), 0);
  EXPECT_GT(heard(only(NetAction::kSend)), 0);
  EXPECT_GT(heard(only(NetAction::kAccept)), 0);
  EXPECT_EQ(heard(only(NetAction::kConnect)), 0);
}

}  // namespace
}  // namespace palyra::engine
