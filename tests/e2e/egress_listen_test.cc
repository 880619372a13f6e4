// Where a run may be reached: binding, listening, and who hears of what.

#include "tests/e2e/egress_fixture.h"
#include "tests/e2e/policies.h"

namespace palyra::tests {
namespace {

constexpr const char* kPort = "7200";
constexpr const char* kOtherPort = "7201";

class EgressListen : public EgressTest {
 protected:
  // What a run under the policy may do, with the event that it leaves where it may not.
  static void Expect(const std::string& policy, const std::vector<std::string>& arguments,
                     const std::string& denied_action) {
    const ProbeResult probe = PalyraRun().Policy(policy).Probe(arguments);
    if (denied_action.empty()) {
      EXPECT_EQ(probe.Summary(), "allowed none") << probe;
      return;
    }
    EXPECT_NE(probe.verdict, "allowed") << probe;
    ASSERT_FALSE(probe.audit.empty()) << probe;
    EXPECT_EQ(probe.audit.front().action, denied_action) << probe;
  }

  // Everything but `action` is permitted.
  static std::string AllBut(const std::string& action) {
    return std::string(kPermitAll) + "forbid (principal, action == Palyra::Action::\"" + action +
           "\", resource);\n";
  }
};

TEST_F(EgressListen, TakesTheAddressesAndPortsThatAPolicyPermits) {
  const std::string policy =
      PermitWhen("resource.address == ip(\"127.0.0.1\") && resource.port == 7200") +
      PermitWhen("resource.address == ip(\"::1\") && resource.port == 7200");
  for (const std::string verb : {"tcp-bind", "mptcp-bind", "udp-bind", "udplite-bind"}) {
    if (ProbeBare({verb, "127.0.0.1", kPort}).verdict != "allowed")
      continue;  // Not in this kernel.
    for (const std::string address : {"127.0.0.1", "::1", "::ffff:127.0.0.1"}) {
      EXPECT_EQ(ProbeBare({verb, address, kOtherPort}).Summary(), "allowed none") << address;
      Expect(policy, {verb, address, kPort}, "");
      Expect(policy, {verb, address, kOtherPort}, "net.bind");
    }
    // The unspecified address is every address, not loopback.
    for (const std::string address : {"0.0.0.0", "::", "::ffff:0.0.0.0"}) {
      EXPECT_EQ(ProbeBare({verb, address, kPort}).Summary(), "allowed none") << address;
      Expect(policy, {verb, address, kPort}, "net.bind");
    }
    // A port of the kernel's choice is what clients ask for.
    Expect(policy, {verb, "0.0.0.0", "0"}, "");
    Expect(policy, {verb, "::", "0"}, "");
  }
}

TEST_F(EgressListen, SaysWhatWasDenied) {
  const ProbeResult probe = PalyraRun().Probe({"tcp-bind", "127.0.0.1", kPort});
  EXPECT_EQ(probe.Summary(), "denied EPERM") << probe;
  ASSERT_EQ(probe.audit.size(), 1U) << probe;
  EXPECT_EQ(probe.audit.front().address, "127.0.0.1");
  EXPECT_EQ(probe.audit.front().port, 7200);
}

TEST_F(EgressListen, EveryIpv6AddressIsEveryIpv4AddressToo) {
  const std::string only_ipv6 = PermitWhen("resource.address == ip(\"::\")");
  const std::string both = PermitWhen("resource.address == ip(\"::\")") +
                           PermitWhen("resource.address == ip(\"0.0.0.0\")");
  for (const std::string verb : {"tcp-bind", "udp-bind"}) {
    Expect(only_ipv6, {verb, "::", kPort}, "net.bind");
    Expect(both, {verb, "::", kPort}, "");
  }
}

TEST_F(EgressListen, NobodyConnectsWhereARunMayNotListen) {
  for (const std::string address : {"127.0.0.1", "::1"}) {
    EXPECT_EQ(ProbeBare({"tcp-pair", address, kPort}).Summary(), "allowed none") << address;
    Expect(std::string(kPermitAll), {"tcp-pair", address, kPort}, "");
    Expect(AllBut("net.listen"), {"tcp-pair", address, kPort}, "net.listen");
    Expect(AllBut("net.bind"), {"tcp-pair", address, kPort}, "net.bind");
    // No bind to a port of its own choice, and so no question before it listens.
    Expect(std::string(kPermitAll), {"tcp-listen-anywhere", address}, "");
    Expect(AllBut("net.listen"), {"tcp-listen-anywhere", address}, "net.listen");
  }
}

TEST_F(EgressListen, NobodyOutsideReachesAListenerThatIsDenied) {
  const auto reached_from_outside = [](const std::string& policy, const std::string& address) {
    const PalyraRun run = std::move(PalyraRun().Policy(policy));
    Subprocess server(run.CommandLine({BinaryPath("palyra_probe"), "tcp-serve", address, kPort}));
    EXPECT_TRUE(server.WaitForOutput("tcp-serve ")) << "neither listens nor says why not";
    return ProbeBare({"tcp-connect", address, kPort}).verdict == "allowed";
  };
  for (const std::string address : {"127.0.0.1", "::1"}) {
    EXPECT_TRUE(reached_from_outside(std::string(kPermitAll), address)) << address;
    EXPECT_FALSE(reached_from_outside(AllBut("net.listen"), address)) << address;
    EXPECT_FALSE(reached_from_outside(AllBut("net.bind"), address)) << address;
    EXPECT_FALSE(reached_from_outside(AllBut("net.accept"), address)) << address;
  }
}

TEST_F(EgressListen, AShorthandPermitsAServerAndItsPeers) {
  const auto run = [](const std::string& listen) {
    return PalyraRun()
        .Option("--allow-listen", listen)
        .Option("--allow-net", "localhost")
        .Probe({"tcp-pair", "127.0.0.1", kPort});
  };
  EXPECT_EQ(run(kPort).Summary(), "allowed none");
  EXPECT_EQ(run("127.0.0.1:7200").Summary(), "allowed none");
  EXPECT_EQ(run("7000-7300").Summary(), "allowed none");
  EXPECT_EQ(run(kOtherPort).Summary(), "denied EPERM");
  EXPECT_EQ(run("127.0.0.2:7200").Summary(), "denied EPERM");
}

}  // namespace
}  // namespace palyra::tests
