// What a policy says is what happens: conditions, layers, addresses that stand for others.

#include <array>
#include <chrono>
#include <ctime>
#include <string>

#include "tests/e2e/egress_fixture.h"
#include "tests/e2e/policies.h"
#include "tests/support/subprocess.h"

namespace palyra::tests {
namespace {

const std::string kTcp = std::to_string(PortOf(Transport::kTcp));
const std::string kUdp = std::to_string(PortOf(Transport::kUdp));

class EgressPolicy : public EgressTest {
 protected:
  static ProbeResult Tcp(std::string_view policy, std::string_view address,
                         Transport port = Transport::kTcp) {
    return PalyraRun().Policy(policy).Probe(
        {"tcp-connect", std::string(address), std::to_string(PortOf(port))});
  }
  static ProbeResult Udp(std::string_view policy, std::string_view address) {
    return PalyraRun().Policy(policy).Probe({"udp-sendto", std::string(address), kUdp});
  }
};

TEST_F(EgressPolicy, AnEmptyPolicyPermitsNothing) {
  Observer().Start();
  EXPECT_EQ(Tcp("// nothing\n", kDeniedV4).Summary(), "denied EPERM");
  EXPECT_EQ(Udp("// nothing\n", kDeniedV6).Summary(), "denied EPERM");
  ExpectUntouched(kDeniedV4);
  ExpectUntouched(kDeniedV6);
}

TEST_F(EgressPolicy, APortConditionHoldsForThatPortOnly) {
  const std::string policy =
      PermitWhen("resource.port == " + kTcp + " && resource.protocol == \"tcp\"");
  EXPECT_EQ(Tcp(policy, kDeniedV4).Summary(), "allowed none");
  Observer().Start();
  // An MPTCP listener takes plain TCP too, so only the port differs.
  EXPECT_EQ(Tcp(policy, kDeniedV4, Transport::kMptcp).Summary(), "denied EPERM");
  ExpectUntouched(kDeniedV4);
}

TEST_F(EgressPolicy, AProtocolConditionHoldsForThatProtocolOnly) {
  const std::string policy = PermitWhen("resource.protocol == \"udp\"");
  EXPECT_EQ(Udp(policy, kDeniedV4).Summary(), "allowed none");
  Observer().Start();
  EXPECT_EQ(Tcp(policy, kDeniedV4).Summary(), "denied EPERM");
  ExpectUntouched(kDeniedV4);
}

TEST_F(EgressPolicy, PermissionToConnectIsNotPermissionToSend) {
  const std::string policy =
      "permit (principal, action == Palyra::Action::\"net.connect\", resource);\n";
  for (const Family family : {Family::kV4, Family::kV6, Family::kV4Mapped}) {
    const std::string host = DeniedHost(family);
    const ProbeResult connected =
        PalyraRun().Policy(policy).Probe({"udp-connect-send", host, kUdp});
    EXPECT_EQ(connected.Summary(), "allowed none") << connected;
    Observer().Start();
    const ProbeResult sent = Udp(policy, host);
    EXPECT_EQ(sent.Summary(), "denied EPERM") << sent;
    ExpectUntouched(CanonicalDeniedHost(family));
  }
}

TEST_F(EgressPolicy, ARangeEndsWhereItEnds) {
  const std::string policy = PermitWhen("resource.address.isInRange(ip(\"198.51.100.0/28\"))");
  Observer().Start();
  EXPECT_EQ(Tcp(policy, kDeniedV4).Summary(), "denied EPERM");
  ExpectUntouched(kDeniedV4);
  EXPECT_EQ(
      Tcp(PermitWhen("resource.address.isInRange(ip(\"198.51.100.16/28\"))"), kDeniedV4).Summary(),
      "allowed none");
}

TEST_F(EgressPolicy, APermitForOneAgentIsNoneForAnother) {
  const std::string policy =
      "permit (principal == Palyra::Agent::\"builder\", action, resource);\n";
  const auto as = [&policy](const std::string& agent) {
    return PalyraRun()
        .Policy(policy)
        .Option("--agent", agent)
        .Probe({"tcp-connect", std::string(kDeniedV4), kTcp});
  };
  EXPECT_EQ(as("builder").Summary(), "allowed none");
  Observer().Start();
  EXPECT_EQ(as("reviewer").Summary(), "denied EPERM");
  ExpectUntouched(kDeniedV4);
}

TEST_F(EgressPolicy, ShorthandsPermitAndForbidWhatTheyName) {
  const std::string range = std::string(kDeniedV4) + ":" + kTcp;
  EXPECT_EQ(PalyraRun()
                .Option("--allow-net", range)
                .Probe({"tcp-connect", std::string(kDeniedV4), kTcp})
                .Summary(),
            "allowed none");
  Observer().Start();
  EXPECT_EQ(PalyraRun()
                .Option("--allow-net", range)
                .Probe({"udp-sendto", std::string(kDeniedV4), kUdp})
                .Summary(),
            "denied EPERM");
  EXPECT_EQ(PalyraRun()
                .Option("--allow-net", range)
                .Option("--deny-net", std::string(kDeniedV4))
                .Probe({"tcp-connect", std::string(kDeniedV4), kTcp})
                .Summary(),
            "denied EPERM");
  ExpectUntouched(kDeniedV4);
}

TEST_F(EgressPolicy, TheLogNamesTheProgramThatWasDenied) {
  const ProbeResult probe = Tcp(ForbidDeniedHost(), kDeniedV4);
  ASSERT_EQ(probe.audit.size(), 1U) << probe;
  EXPECT_EQ(probe.audit.front().comm, "palyra_probe");
}

class EgressMetadata : public EgressTest, public testing::WithParamInterface<std::string> {};

// The servers at the metadata addresses answer, so only palyra stands before them.
TEST_P(EgressMetadata, IsDeniedWhateverThePolicySays) {
  const std::string& address = GetParam();
  const std::string canonical = address.starts_with("::ffff:") ? std::string(kMetadataV4) : address;
  ASSERT_EQ(ProbeBare({"tcp-connect", address, kTcp}).Summary(), "allowed none");
  Observer().Start();
  for (const std::string verb : {"tcp-connect", "udp-sendto", "udp-connect-send"}) {
    const bool tcp = verb.starts_with("tcp");
    const ProbeResult probe =
        PalyraRun().Policy(kPermitAll).Probe({verb, address, tcp ? kTcp : kUdp});
    EXPECT_EQ(probe.Summary(), "denied EPERM") << probe;
    ASSERT_FALSE(probe.audit.empty()) << probe;
    EXPECT_EQ(probe.audit.front().layer, "mandatory") << probe;
    EXPECT_EQ(probe.audit.front().address, canonical) << probe;
    EXPECT_FALSE(probe.audit.front().policies.empty()) << probe;
  }
  ExpectUntouched(canonical);
}

INSTANTIATE_TEST_SUITE_P(All, EgressMetadata,
                         testing::Values(std::string(kMetadataV4), std::string(kMetadataV6),
                                         std::string(kSharedMetadataV4),
                                         "::ffff:" + std::string(kMetadataV4)),
                         [](const testing::TestParamInfo<std::string>& parameter) {
                           if (parameter.param.starts_with("::ffff:")) return "V4Mapped";
                           if (parameter.param == kSharedMetadataV4) return "V4Shared";
                           return parameter.param.find(':') == std::string::npos ? "V4" : "V6";
                         });

std::string PermitFrom(std::chrono::seconds from_now) {
  return PermitWhen("context has now && context.now >= datetime(\"" + Moment(from_now) + "\")");
}

TEST_F(EgressPolicy, AConditionOnTheTimeHoldsFromItsMomentOn) {
  using namespace std::chrono_literals;
  EXPECT_EQ(Tcp(PermitFrom(-1h), kDeniedV4).Summary(), "allowed none");
  Observer().Start();
  EXPECT_EQ(Tcp(PermitFrom(1h), kDeniedV4).Summary(), "denied EPERM");
  ExpectUntouched(kDeniedV4);
}

// Without anything from outside: the run's own supervisor brings the next rules.
TEST_F(EgressPolicy, AConditionOnTheTimeChangesUnderARun) {
  using namespace std::chrono_literals;
  const std::string probe =
      BinaryPath("palyra_probe") + " tcp-connect " + std::string(kDeniedV4) + ' ' + kTcp;
  PalyraRun run;
  const Ended ended =
      run.Policy(PermitFrom(5s)).Run({"/bin/sh", "-c", probe + "; sleep 7; " + probe});
  EXPECT_EQ(ended.status, 0) << Describe(ended);
  EXPECT_TRUE(ended.error_output.contains("denied: net.connect")) << Describe(ended);
}

}  // namespace
}  // namespace palyra::tests
