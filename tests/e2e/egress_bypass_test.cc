// Ways round the socket calls that a policy is thought of in.
//
// Each has its control bare, outside any run: there it works, so what stops it inside is palyra.

#include <filesystem>
#include <ostream>

#include "tests/e2e/egress_fixture.h"
#include "tests/e2e/policies.h"

namespace palyra::tests {
namespace {

const std::string kTcp = std::to_string(PortOf(Transport::kTcp));
const std::string kUdp = std::to_string(PortOf(Transport::kUdp));

class EgressBypass : public EgressTest {
 protected:
  static ProbeResult InRun(std::string_view policy, const std::vector<std::string>& arguments,
                           const std::string& user = std::string(kToolUser)) {
    return PalyraRun().Policy(policy).User(user).Probe(arguments);
  }

  static void ExpectSeenBare(const std::vector<std::string>& arguments, std::string_view address) {
    Observer().Start();
    const ProbeResult probe = ProbeBare(arguments);
    EXPECT_EQ(probe.verdict, "allowed") << probe;
    EXPECT_GT(Observer().PacketsFor(address), 0U) << "the control did not arrive: " << probe;
  }
};

struct RawCase {
  const char* name;
  const char* verb;
  const char* error;
};

void PrintTo(const RawCase& raw, std::ostream* stream) { *stream << raw.name; }

class EgressRaw : public EgressBypass,
                  public testing::WithParamInterface<std::tuple<RawCase, Family>> {};

// Even where everything is permitted, and even as root: forged headers carry no truth to judge.
TEST_P(EgressRaw, SocketsAreRefused) {
  const auto& [raw, family] = GetParam();
  const std::string host = DeniedHost(family);
  ExpectSeenBare({raw.verb, host, kUdp}, host);
  for (const std::string user : {"1000", "0"}) {
    Observer().Start();
    const ProbeResult probe = InRun(kPermitAll, {raw.verb, host, kUdp}, user);
    EXPECT_EQ(probe.Summary(), std::string("denied ") + raw.error) << probe;
    ExpectUntouched(host);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, EgressRaw,
    testing::Combine(testing::Values(RawCase{"RawIcmp", "raw-icmp", "EPERM"},
                                     RawCase{"RawHeaderIncluded", "raw-hdrincl", "EPERM"},
                                     RawCase{"Packet", "packet-socket", "EAFNOSUPPORT"}),
                     testing::Values(Family::kV4, Family::kV6)),
    [](const testing::TestParamInfo<std::tuple<RawCase, Family>>& parameter) {
      return std::string(std::get<0>(parameter.param).name)
          .append(FamilyName(std::get<1>(parameter.param)));
    });

class EgressPing : public EgressBypass,
                   public testing::WithParamInterface<std::tuple<const char*, Family>> {};

TEST_P(EgressPing, IsJudgedAsIcmp) {
  const auto& [verb, family] = GetParam();
  const std::string host = DeniedHost(family);
  const std::string protocol = family == Family::kV6 ? "icmpv6" : "icmp";
  Observer().Start();
  const ProbeResult permitted =
      InRun(PermitWhen("resource.protocol == \"" + protocol + "\""), {verb, host});
  EXPECT_EQ(permitted.Summary(), "allowed none") << permitted;
  EXPECT_GT(Observer().PacketsFor(host), 0U);

  Observer().Start();
  const ProbeResult denied = InRun(ForbidDeniedHost(), {verb, host});
  // A send on an unconnected ICMPv6 socket says that all is well even where the kernel drops it.
  const bool silent = family == Family::kV6 && std::string(verb) == "icmp-ping";
  EXPECT_EQ(denied.Summary(), silent ? "allowed none" : "denied EPERM") << denied;
  ExpectUntouched(host);
  ASSERT_FALSE(denied.audit.empty()) << denied;
  EXPECT_EQ(denied.audit.front().protocol, protocol) << denied;
  EXPECT_EQ(denied.audit.front().port, 0) << denied;
}

INSTANTIATE_TEST_SUITE_P(
    All, EgressPing,
    testing::Combine(testing::Values("icmp-ping", "icmp-ping-connected"),
                     testing::Values(Family::kV4, Family::kV6)),
    [](const testing::TestParamInfo<std::tuple<const char*, Family>>& parameter) {
      const std::string verb = std::get<0>(parameter.param);
      return (verb == "icmp-ping" ? std::string("SendTo") : std::string("Connect"))
          .append(FamilyName(std::get<1>(parameter.param)));
    });

// Either the whole of io_uring is refused in a run (ENOSYS), or its calls are judged as others are.
class EgressRing : public EgressBypass, public testing::WithParamInterface<Family> {
 protected:
  static void ExpectHeld(const std::string& verb, const std::string& port, Family family) {
    const std::string host = DeniedHost(family);
    const std::string_view canonical = CanonicalDeniedHost(family);
    ExpectSeenBare({verb, host, port}, canonical);
    Observer().Start();
    const ProbeResult permitted = InRun(kPermitAll, {verb, host, port});
    const bool refused = permitted.Summary() == "denied ENOSYS";
    if (!refused) {
      EXPECT_EQ(permitted.Summary(), "allowed none") << permitted;
      EXPECT_GT(Observer().PacketsFor(canonical), 0U);
    }
    Observer().Start();
    const ProbeResult denied = InRun(ForbidDeniedHost(), {verb, host, port});
    EXPECT_EQ(denied.Summary(), refused ? "denied ENOSYS" : "denied EPERM") << denied;
    ExpectUntouched(canonical);
  }
};

TEST_P(EgressRing, ConnectIsHeld) { ExpectHeld("io-uring-connect", kTcp, GetParam()); }

TEST_P(EgressRing, SendMsgIsHeld) { ExpectHeld("io-uring-sendmsg", kUdp, GetParam()); }

INSTANTIATE_TEST_SUITE_P(All, EgressRing,
                         testing::Values(Family::kV4, Family::kV6, Family::kV4Mapped),
                         [](const testing::TestParamInfo<Family>& parameter) {
                           return std::string(FamilyName(parameter.param));
                         });

TEST_F(EgressBypass, IoUringMakesNoSocketOfAnotherFamily) {
  EXPECT_EQ(ProbeBare({"io-uring-socket-packet"}).verdict, "allowed");
  for (const std::string verb : {"io-uring-socket-packet", "io-uring-socket-vsock"}) {
    for (const std::string user : {"1000", "0"}) {
      const ProbeResult probe = InRun(kPermitAll, {verb}, user);
      EXPECT_EQ(probe.verdict, "denied") << probe;
    }
  }
}

TEST_F(EgressBypass, OtherSocketFamiliesAreRefused) {
  int stopped_by_palyra = 0;
  for (const std::string family : {"vsock", "alg", "packet", "key", "xdp", "can", "tipc",
                                   "bluetooth", "rds", "smc", "kcm", "qipcrtr", "old-packet"}) {
    if (ProbeBare({"socket", family}).verdict == "allowed") ++stopped_by_palyra;
    const ProbeResult probe = InRun(kPermitAll, {"socket", family}, "0");
    EXPECT_EQ(probe.Summary(), "denied EAFNOSUPPORT") << family << '\n' << probe;
  }
  EXPECT_GE(stopped_by_palyra, 1) << "no family was there to be refused";
}

TEST_F(EgressBypass, OnlyTheRoutingKindOfNetlinkIsLeft) {
  EXPECT_EQ(ProbeBare({"netlink-kinds"}).verdict, "allowed");
  const ProbeResult kinds = InRun(kPermitAll, {"netlink-kinds"}, "0");
  EXPECT_EQ(kinds.Summary(), "denied EAFNOSUPPORT") << kinds;
  EXPECT_EQ(InRun(kPermitAll, {"netlink-route"}).Summary(), "allowed none");
}

TEST_F(EgressBypass, AUnixSocketPairWorks) {
  EXPECT_EQ(InRun("// nothing\n", {"unix-socketpair"}).Summary(), "allowed none");
}

// 159 is 128 + SIGSYS.
TEST_F(EgressBypass, ForeignSystemCallTablesAreClosed) {
  for (const auto& arguments :
       {std::vector<std::string>{"x32-socket"}, {"int80-connect", std::string(kDeniedV4), kTcp}}) {
    Observer().Start();
    const ProbeResult probe = InRun(kPermitAll, arguments);
    EXPECT_TRUE(probe.exit_status == 159 || probe.verdict == "denied") << probe;
    ExpectUntouched(kDeniedV4);
  }
}

// The control ends in ENETUNREACH: the new namespace was entered, and nothing was there.
TEST_F(EgressBypass, ANewNetworkNamespaceIsNoWayOut) {
  for (const std::string verb : {"netns-connect", "user-netns-connect"}) {
    const ProbeResult bare = ProbeBare({verb, std::string(kDeniedV4), kTcp});
    EXPECT_EQ(bare.Summary(), "other ENETUNREACH") << bare;
    EXPECT_EQ(bare.detail, "unshare:done") << bare;
    for (const std::string user : {"1000", "0"}) {
      Observer().Start();
      const ProbeResult probe =
          InRun(ForbidDeniedHost(), {verb, std::string(kDeniedV4), kTcp}, user);
      EXPECT_EQ(probe.Summary(), "denied EPERM") << probe;
      EXPECT_EQ(probe.detail, "unshare:EPERM") << probe;
      ExpectUntouched(kDeniedV4);
    }
  }
}

// glibc falls back to clone() where clone3() is not there.
TEST_F(EgressBypass, UserNamespacesCannotBeMade) {
  for (const std::string verb : {"userns-unshare", "userns-clone", "userns-clone3"}) {
    EXPECT_EQ(ProbeBare({verb}).verdict, "allowed") << verb;
    const ProbeResult probe = InRun(kPermitAll, {verb});
    const bool clone3 = verb == "userns-clone3" && probe.Summary() == "denied ENOSYS";
    EXPECT_TRUE(clone3 || probe.Summary() == "denied EPERM") << probe;
  }
}

// The packet's destination is the first hop, the socket's is the last.
TEST_F(EgressBypass, ASourceRouteDoesNotLeadOverAForbiddenHost) {
  for (const std::string verb :
       {"udp-source-route", "udp-source-route-connected", "tcp-source-route"}) {
    const std::string& port = verb.starts_with("tcp") ? kTcp : kUdp;
    for (const Family family : {Family::kV4, Family::kV6}) {
      const std::vector<std::string> arguments = {verb, DeniedHost(family), AllowedHost(family),
                                                  port};
      ExpectSeenBare(arguments, CanonicalDeniedHost(family));
      Observer().Start();
      const ProbeResult probe = InRun(PermitAllowedHost(), arguments);
      ExpectUntouched(CanonicalDeniedHost(family));
      EXPECT_NE(probe.verdict, "could-not-try") << probe;
    }
  }
}

TEST_F(EgressBypass, ASocketConnectedToAPermittedHostCannotBeTurned) {
  for (const std::string verb : {"udp-sendto-on-connected", "udp-reconnect", "tcp-reconnect"}) {
    const std::string& port = verb.starts_with("tcp") ? kTcp : kUdp;
    for (const Family family : {Family::kV4, Family::kV6, Family::kV4Mapped}) {
      const std::vector<std::string> arguments = {verb, AllowedHost(family), port,
                                                  DeniedHost(family), port};
      EXPECT_EQ(InRun(kPermitAll, arguments).Summary(), "allowed none");
      Observer().Start();
      const ProbeResult probe = InRun(PermitAllowedHost(), arguments);
      EXPECT_EQ(probe.Summary(), "denied EPERM") << probe;
      ExpectUntouched(CanonicalDeniedHost(family));
    }
  }
}

TEST_F(EgressBypass, KeysOfTheCallerAreOutOfReach) {
  EXPECT_EQ(ProbeBare({"keyctl-add"}).Summary(), "allowed none");
  EXPECT_EQ(InRun(kPermitAll, {"keyctl-add"}).Summary(), "denied EPERM");
}

TEST_F(EgressBypass, PinnedMapsAndProgramsCannotBeOpened) {
  // A run first, so that something is pinned.
  ASSERT_EQ(InRun(kPermitAll, {"exit-with", "0"}).exit_status, 0);
  std::vector<std::string> arguments = {"bpf-obj-get"};
  for (const auto& entry : std::filesystem::recursive_directory_iterator("/sys/fs/bpf/palyra")) {
    if (!entry.is_directory()) arguments.push_back(entry.path());
  }
  ASSERT_GT(arguments.size(), 1U) << "nothing is pinned below /sys/fs/bpf/palyra";
  EXPECT_EQ(ProbeBare(arguments).verdict, "allowed");
  for (const std::string user : {"1000", "0"}) {
    EXPECT_EQ(InRun(kPermitAll, arguments, user).verdict, "denied");
    EXPECT_EQ(InRun(kPermitAll, {"bpf-map-next-id"}, user).Summary(), "denied EPERM");
    EXPECT_EQ(InRun(kPermitAll, {"bpf-map-create"}, user).Summary(), "denied EPERM");
  }
}

}  // namespace
}  // namespace palyra::tests
