// Every way to connect or send, over every address family: permitted it arrives, denied it does
// not, and the log names the policy.

#include <ostream>
#include <string>

#include "tests/e2e/egress_fixture.h"
#include "tests/e2e/policies.h"

namespace palyra::tests {
namespace {

struct Technique {
  const char* name;
  const char* verb;
  Transport transport;
  const char* protocol;
  const char* action;
  const char* user = "1000";  // Root without capabilities where files of root matter.
};

void PrintTo(const Technique& technique, std::ostream* stream) { *stream << technique.name; }

constexpr auto kTechniques = std::to_array<Technique>({
    {"TcpConnect", "tcp-connect", Transport::kTcp, "tcp", "net.connect"},
    {"TcpConnectNonblocking", "tcp-connect-nonblocking", Transport::kTcp, "tcp", "net.connect"},
    {"TcpFastOpen", "tcp-fastopen", Transport::kTcp, "tcp", "net.connect"},
    {"TcpFastOpenConnect", "tcp-fastopen-connect", Transport::kTcp, "tcp", "net.connect"},
    {"MptcpConnect", "mptcp-connect", Transport::kMptcp, "tcp", "net.connect"},
    {"UdpConnectSend", "udp-connect-send", Transport::kUdp, "udp", "net.connect"},
    {"UdpSendTo", "udp-sendto", Transport::kUdp, "udp", "net.send"},
    {"UdpSendMsg", "udp-sendmsg", Transport::kUdp, "udp", "net.send"},
    {"UdpSendMmsg", "udp-sendmmsg", Transport::kUdp, "udp", "net.send"},
    {"UdpliteSendTo", "udplite-sendto", Transport::kUdplite, "udplite", "net.send"},
    {"UdpliteConnectSend", "udplite-connect-send", Transport::kUdplite, "udplite", "net.connect"},
    {"Daemon", "daemon-connect", Transport::kTcp, "tcp", "net.connect"},
    {"SubCgroup", "subcgroup-connect", Transport::kTcp, "tcp", "net.connect"},
    {"SubCgroupAsRoot", "subcgroup-connect", Transport::kTcp, "tcp", "net.connect", "0"},
    {"RootCgroup", "move-cgroup-connect", Transport::kTcp, "tcp", "net.connect"},
    {"RootCgroupAsRoot", "move-cgroup-connect", Transport::kTcp, "tcp", "net.connect", "0"},
    {"CloneIntoRootCgroupAsRoot", "clone-into-cgroup-connect", Transport::kTcp, "tcp",
     "net.connect", "0"},
});

class EgressTechnique : public EgressTest,
                        public testing::WithParamInterface<std::tuple<Technique, Family>> {
 protected:
  void SetUp() override {
    EgressTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_TRUE(Servers().Has(technique_.transport)) << "this kernel has no such sockets";
  }

  [[nodiscard]] ProbeResult Probe(std::string_view policy) const {
    return PalyraRun()
        .Policy(policy)
        .User(technique_.user)
        .Probe({technique_.verb, DeniedHost(family_), Port()});
  }
  [[nodiscard]] std::string Port() const { return std::to_string(PortOf(technique_.transport)); }
  [[nodiscard]] Heard HeardNow() const {
    return Servers().At(CanonicalDeniedHost(family_), technique_.transport);
  }

  const Technique technique_ = std::get<0>(GetParam());
  const Family family_ = std::get<1>(GetParam());
};

TEST_P(EgressTechnique, ArrivesWhereAPolicyPermitsIt) {
  const Heard before = HeardNow();
  const ProbeResult probe = Probe(kPermitAll);
  EXPECT_EQ(probe.Summary(), "allowed none") << probe;
  EXPECT_TRUE(
      Servers().WaitForMore(CanonicalDeniedHost(family_), technique_.transport, before.bytes))
      << "the server heard nothing";
  EXPECT_TRUE(probe.audit.empty()) << probe;
}

TEST_P(EgressTechnique, DoesNotLeaveForAForbiddenHost) {
  Observer().Start();
  const Heard before = HeardNow();
  const ProbeResult probe = Probe(ForbidDeniedHost());
  EXPECT_EQ(probe.Summary(), "denied EPERM") << probe;
  EXPECT_EQ(probe.exit_status, 1) << probe;
  ExpectUntouched(CanonicalDeniedHost(family_));
  EXPECT_EQ(HeardNow().connections, before.connections);
  EXPECT_EQ(HeardNow().bytes, before.bytes);
  ExpectAudit(probe, technique_.action, technique_.protocol, CanonicalDeniedHost(family_),
              PortOf(technique_.transport), "caller", "policy1");
}

TEST_P(EgressTechnique, DoesNotLeaveForAHostThatNoPolicyPermits) {
  Observer().Start();
  const ProbeResult probe = Probe(PermitAllowedHost());
  EXPECT_EQ(probe.Summary(), "denied EPERM") << probe;
  ExpectUntouched(CanonicalDeniedHost(family_));
  ExpectAudit(probe, technique_.action, technique_.protocol, CanonicalDeniedHost(family_),
              PortOf(technique_.transport), "caller", "");
}

INSTANTIATE_TEST_SUITE_P(
    All, EgressTechnique,
    testing::Combine(testing::ValuesIn(kTechniques),
                     testing::Values(Family::kV4, Family::kV6, Family::kV4Mapped)),
    [](const testing::TestParamInfo<std::tuple<Technique, Family>>& parameter) {
      return std::string(std::get<0>(parameter.param).name)
          .append(FamilyName(std::get<1>(parameter.param)));
    });

}  // namespace
}  // namespace palyra::tests
