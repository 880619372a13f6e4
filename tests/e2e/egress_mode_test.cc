// Egress modes: they narrow what policies permit, and widen nothing.

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "tests/e2e/names_fixture.h"
#include "tests/e2e/policies.h"
#include "tests/support/subprocess.h"

namespace palyra::tests {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

PalyraRun Mode(const std::string& mode, const std::string& policy) {
  PalyraRun run;
  run.Option("--egress", mode).Policy(policy);
  return run;
}

constexpr int kRefused = 126;

std::string Shell(const std::vector<std::vector<std::string>>& probes) {
  std::string script;
  for (const std::vector<std::string>& probe : probes) {
    script += BinaryPath("palyra_probe");
    for (const std::string& word : probe) script += ' ' + word;
    script += "; ";
  }
  return script;
}

class EgressMode : public Names {};

TEST_F(EgressMode, NoneReachesNothing) {
  const std::string all(kPermitAll);
  const std::string mptcp_port = std::to_string(PortOf(Transport::kMptcp));
  const std::string v4(kPublicV4);
  const std::string v6(kPublicV6);
  const std::vector<std::vector<std::string>> probes = {{"tcp-connect", v4, kPort},
                                                        {"tcp-connect", v6, kPort},
                                                        {"tcp-fastopen", v4, kPort},
                                                        {"mptcp-connect", v4, mptcp_port},
                                                        {"udp-sendto", v4, kUdpPort},
                                                        {"udp-connect-send", v6, kUdpPort},
                                                        {"icmp-ping", v4},
                                                        {"tcp-bind", "127.0.0.1", "4000"},
                                                        {"udp-bind", "127.0.0.1", "4000"}};
  for (const std::vector<std::string>& probe : probes) {
    // What the probe can do at all it can do in the mode that is the default.
    const ProbeResult strict = Mode("strict", all).Probe(probe);
    if (strict.verdict == "could-not-try") continue;
    EXPECT_EQ(strict.verdict, "allowed") << probe[0] << strict;
    Observer().Start();
    const ProbeResult none = Mode("none", all).Probe(probe);
    EXPECT_EQ(none.Summary(), "denied EPERM") << probe[0] << none;
    ExpectUntouched(kPublicV4);
    ExpectUntouched(kPublicV6);
    ASSERT_FALSE(none.audit.empty()) << probe[0] << none;
    EXPECT_EQ(none.audit[0].layer, "mandatory");
    EXPECT_THAT(none.audit[0].policies, Contains(HasSubstr("egress mode none")));
  }
}

TEST_F(EgressMode, NoneHoldsOnLoopbackToo) {
  const ProbeResult probe =
      Mode("none", std::string(kPermitAll)).Probe({"tcp-connect", "127.0.0.1", kPort});
  EXPECT_EQ(probe.Summary(), "denied EPERM") << probe;
  EXPECT_THAT(probe.raw, AllOf(HasSubstr("denied: net.connect tcp 127.0.0.1:" + kPort),
                               HasSubstr("egress mode none: the run is offline")));
}

TEST_F(EgressMode, NoneHasNoResolver) {
  const ProbeResult probe =
      Mode("none", PermitDomain()).Probe({"dns-ask", "1", "a.test", "127.0.0.201"});
  EXPECT_EQ(probe.Summary(), "denied EPERM") << probe;
  EXPECT_THAT(Asked(), IsEmpty());
}

TEST_F(EgressMode, PoliciesMustBeRightInEachMode) {
  for (const char* mode : {"none", "preflight", "strict"}) {
    const Ended ended =
        Mode(mode, "permit (principal, action, resource) when { 1 };").Run({"true"});
    EXPECT_NE(ended.status, 0) << mode << Describe(ended);
  }
}

TEST_F(EgressMode, PreflightReachesWhatWasResolved) {
  const PalyraRun run = Mode("preflight", PermitDomain() +
                                              "permit (principal, action, resource in "
                                              "Palyra::Domain::\"six.a.test\");\n");
  const Ended ended = run.Run({"sh", "-c",
                               Shell({{"name-connect", "a.test", kPort},
                                      {"name-connect", "six.a.test", kPort},
                                      {"tcp-connect", std::string(kPublicV4), kPort},
                                      {"tcp-connect", std::string(kDeniedV4), kPort}})});
  EXPECT_EQ(ended.output,
            "name-connect allowed none\nname-connect allowed none\ntcp-connect allowed none\n"
            "tcp-connect denied EPERM\n")
      << Describe(ended);
}

TEST_F(EgressMode, PreflightAsksEachNameBeforeTheRunAndNobodyAfterwards) {
  const ProbeResult idle = Mode("preflight", PermitDomain()).Probe({"exit-with", "0"});
  EXPECT_EQ(idle.exit_status, 0) << idle;
  EXPECT_THAT(Asked(), ElementsAre("a.test", "a.test")) << "A and AAAA";
  Observer().Start();
  const Ended ended =
      Mode("preflight", PermitDomain())
          .Run({"sh", "-c",
                Shell({{"name-connect", "a.test", kPort},
                       {"name-connect", "six.a.test", kPort},
                       {"name-connect", "evil.test", kPort},
                       {"dns-ask", "1", "six.a.test", "127.0.0.201", std::string(kPublicV4)},
                       {"dns-ask", "16", "a.test", "127.0.0.201"},
                       {"dns-ask", "65", "a.test", "127.0.0.201"}})});
  EXPECT_THAT(ended.output,
              AllOf(HasSubstr("name-connect allowed none\nname-connect denied ENOENT"),
                    HasSubstr("127.0.0.201:53=3," + std::string(kPublicV4) + ":53=3"),
                    HasSubstr("127.0.0.201:53=5"), HasSubstr("127.0.0.201:53=0")))
      << Describe(ended);
  EXPECT_THAT(Asked(), ElementsAre("a.test", "a.test", "a.test", "a.test"));
}

TEST_F(EgressMode, PreflightRecordsNamesThatWereNotResolved) {
  const ProbeResult probe =
      Mode("preflight", PermitDomain()).Probe({"name-connect", "six.a.test", kPort});
  EXPECT_EQ(probe.Summary(), "denied ENOENT") << probe;
  ASSERT_FALSE(probe.audit.empty());
  EXPECT_EQ(probe.audit[0].action, "resolve");
  EXPECT_THAT(probe.audit[0].names, ElementsAre("six.a.test"));
  EXPECT_THAT(probe.raw, HasSubstr("denied: resolve six.a.test"));
  EXPECT_THAT(probe.raw, HasSubstr("it was not resolved before the run"));
  EXPECT_THAT(probe.raw, HasSubstr("allow it with --allow-net six.a.test"));
}

// The same name ends after a second where it is live (names_test.cc).
TEST_F(EgressMode, PreflightKeepsNamesWhateverTheirTime) {
  PalyraRun run;
  run.Option("--egress", "preflight").Option("--allow-net", "short.a.test");
  const Ended ended = run.Run({"sh", "-c",
                               "sleep 2; " + Shell({{"tcp-connect", std::string(kPublicV4), kPort},
                                                    {"name-connect", "short.a.test", kPort}})});
  EXPECT_EQ(ended.output, "tcp-connect allowed none\nname-connect allowed none\n")
      << Describe(ended);
  EXPECT_THAT(Asked(), ElementsAre("short.a.test", "short.a.test"));
}

TEST_F(EgressMode, PreflightHoldsToPoliciesOnPorts) {
  Observer().Start();
  const ProbeResult probe = Mode("preflight", PermitDomain("resource.port == 1"))
                                .Probe({"name-connect", "a.test", kPort});
  EXPECT_EQ(probe.Summary(), "denied EPERM") << probe;
  ExpectUntouched(kPublicV4);
}

TEST_F(EgressMode, PreflightRefusesARunWhoseNamesDoNotResolve) {
  const auto refused = [](const char* name) {
    PalyraRun run;
    run.Option("--egress", "preflight").Option("--allow-net", "a.test").Option("--allow-net", name);
    return run.Run({"echo", "ran"});
  };
  for (const char* name : {"missing.test", "rebind.a.test", "private.a.test"}) {
    const Ended ended = refused(name);
    EXPECT_EQ(ended.status, kRefused) << Describe(ended);
    EXPECT_THAT(ended.output, Not(HasSubstr("ran")));
    EXPECT_THAT(Describe(ended), HasSubstr(std::string("\"") + name + '"'));
  }
  server_.reset();
  const Ended ended = refused("six.a.test");
  EXPECT_EQ(ended.status, kRefused) << Describe(ended);
  EXPECT_THAT(Describe(ended), HasSubstr("was not answered for by any server"));
}

TEST_F(EgressMode, PreflightLeadsInsideWherePoliciesSayThatAddress) {
  const ProbeResult probe = Mode("preflight",
                                 "permit (principal, action, resource in "
                                 "Palyra::Domain::\"private.a.test\") when { " +
                                     AddressIsOneOf({kAllowedV4}) + " };\n")
                                .Probe({"name-connect", "private.a.test", kPort});
  EXPECT_EQ(probe.Summary(), "allowed none") << probe;
}

TEST_F(EgressMode, PreflightRefusesPatterns) {
  PalyraRun run;
  run.Option("--egress", "preflight").Option("--allow-net", "*.a.test");
  const Ended ended = run.Run({"echo", "ran"});
  EXPECT_EQ(ended.status, kRefused) << Describe(ended);
  EXPECT_THAT(Describe(ended), AllOf(HasSubstr("nobody can list"), HasSubstr("spell each name")));
  EXPECT_THAT(Asked(), IsEmpty());
}

// Policies that name no host leave DNS a port like any other; not so here.
TEST_F(EgressMode, PreflightLetsNoDnsOutWhereNoPolicyNamesAHost) {
  Observer().Start();
  const ProbeResult probe =
      Mode("preflight", std::string(kPermitAll))
          .Probe({"dns-ask", "1", "a.test", "127.0.0.201", std::string(kPublicV4)});
  EXPECT_EQ(probe.detail, "127.0.0.201:53=3," + std::string(kPublicV4) + ":53=3") << probe;
  EXPECT_THAT(Asked(), IsEmpty());
  ExpectUntouched(kPublicV4);
}

}  // namespace
}  // namespace palyra::tests
