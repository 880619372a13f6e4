// Names of hosts in policies: what a run can look up, and what it can reach by what it found.

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "tests/e2e/names_fixture.h"
#include "tests/e2e/policies.h"
#include "tests/support/subprocess.h"

namespace palyra::tests {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::string kMptcpPort = std::to_string(PortOf(Transport::kMptcp));

ProbeResult Connect(const std::string& policy, const std::string& name) {
  return PalyraRun().Policy(policy).Probe({"name-connect", name, kPort});
}

TEST_F(Names, AreReachedWhereAPolicyPermitsThem) {
  const uint64_t before = Servers().At(kPublicV4, Transport::kTcp).bytes;
  const ProbeResult v4 = Connect(PermitDomain(), "a.test");
  EXPECT_EQ(v4.Summary(), "allowed none") << v4;
  EXPECT_TRUE(Servers().WaitForMore(kPublicV4, Transport::kTcp, before));
  const ProbeResult v6 = Connect(PermitDomain(), "six.a.test");
  EXPECT_EQ(v6.Summary(), "allowed none") << v6;
  EXPECT_THAT(v4.audit, IsEmpty()) << "libc sorts addresses with sockets that it does not use";
}

TEST_F(Names, TheirAddressesAloneAreNot) {
  EXPECT_EQ(ProbeBare({"tcp-connect", std::string(kPublicV4), kPort}).Summary(), "allowed none");
  Observer().Start();
  const ProbeResult probe =
      PalyraRun().Policy(PermitDomain()).Probe({"tcp-connect", std::string(kPublicV4), kPort});
  EXPECT_EQ(probe.Summary(), "denied EPERM") << probe;
  ExpectUntouched(kPublicV4);
}

TEST_F(Names, OthersAreNotFoundAndNobodyIsAsked) {
  Observer().Start();
  const ProbeResult probe = Connect(PermitDomain(), "evil.test");
  EXPECT_EQ(probe.Summary(), "denied ENOENT") << probe;
  EXPECT_THAT(Asked(), Not(Contains("evil.test")));
  ExpectUntouched(kPublicV4);
  ASSERT_FALSE(probe.audit.empty());
  EXPECT_EQ(probe.audit[0].action, "resolve");
  EXPECT_THAT(probe.audit[0].names, ElementsAre("evil.test"));
  EXPECT_THAT(probe.raw, HasSubstr("denied: resolve evil.test"));
}

// A name is a way out of its own: what may be reached by address gives none.
TEST_F(Names, AnAddressThatIsPermittedOpensNone) {
  const ProbeResult probe = PalyraRun()
                                .Policy(PermitDomain())
                                .Option("--allow-net", "127.0.0.1:8080")
                                .Probe({"name-connect", "evil.test", kPort});
  EXPECT_EQ(probe.Summary(), "denied ENOENT") << probe;
  EXPECT_THAT(Asked(), Not(Contains("evil.test")));
}

TEST_F(Names, ConditionsOnThePortHoldToo) {
  Observer().Start();
  const ProbeResult probe = Connect(PermitDomain("resource.port == 1"), "a.test");
  EXPECT_EQ(probe.Summary(), "denied EPERM") << probe;
  ExpectUntouched(kPublicV4);
  ASSERT_FALSE(probe.audit.empty());
  EXPECT_THAT(probe.audit[0].names, ElementsAre("a.test"));
  EXPECT_THAT(probe.raw, HasSubstr(" as a.test"));
}

TEST_F(Names, AForbidOnOneLeavesTheOthersAlone) {
  const std::string policy = std::string(kPermitAll) +
                             "forbid (principal, action, resource in "
                             "Palyra::Domain::\"six.a.test\");\n";
  EXPECT_EQ(Connect(policy, "a.test").Summary(), "allowed none");
  EXPECT_EQ(Connect(policy, "six.a.test").Summary(), "denied ENOENT");
}

TEST_F(Names, DoNotLeadToPrivateAddresses) {
  Observer().Start();
  EXPECT_EQ(Connect(PermitDomain(), "rebind.a.test").Summary(), "denied ENOENT");
  EXPECT_EQ(Connect(PermitDomain(), "private.a.test").Summary(), "denied ENOENT");
  ExpectUntouched(kMetadataV4);
  ExpectUntouched(kAllowedV4);
  EXPECT_THAT(Asked(), Contains("rebind.a.test"));
  // Where a policy permits the address itself, the name leads there; to the metadata service none.
  const std::string both = PermitDomain() + PermitWhen(AddressIsOneOf({kAllowedV4, kMetadataV4}));
  EXPECT_EQ(Connect(both, "private.a.test").Summary(), "allowed none");
  EXPECT_EQ(Connect(both, "rebind.a.test").Summary(), "denied ENOENT");
  ExpectUntouched(kMetadataV4);
}

TEST_F(Names, OfEveryClassThatIsNotPublicNoneIsGivenOut) {
  for (size_t i = 0; i < kNotPublic.size(); ++i) {
    const std::string name = RebindingName(i);
    EXPECT_NE(ProbeBare({"name-connect", name, kPort}).error, "ENOENT") << kNotPublic.at(i);
    Observer().Start();
    const ProbeResult probe = Connect(PermitDomain(), name);
    EXPECT_EQ(probe.Summary(), "denied ENOENT") << kNotPublic.at(i) << '\n' << probe;
    EXPECT_THAT(Asked(), Contains(name)) << "it was not the answer that was withheld";
    ExpectUntouched(kMetadataV4);
    ExpectUntouched(kSharedMetadataV4);
    ExpectUntouched(kMetadataV6);
  }
}

// What is like an allowed name, or is one in another spelling.
TEST_F(Names, AreComparedInOneForm) {
  for (const std::string name : {"A.Test", "a.test.", "SIX.A.TEST."}) {
    EXPECT_EQ(Connect(PermitDomain(), name).Summary(), "allowed none") << name;
  }
  const size_t asked = Asked().size();
  for (const std::string name : {"evila.test", "a.test.evil.test", "test", "a.tes", "a-test"}) {
    EXPECT_EQ(Connect(PermitDomain(), name).Summary(), "denied ENOENT") << name;
  }
  // Straight to the server: libc would refuse them itself.
  for (const std::string name : {"user@a.test", "a%2etest", "a.test%00.evil.test", "1.2.3.4",
                                 "0x7f.1", "2130706433", "b\xc3\xbc.a.test", "a b.a.test"}) {
    const ProbeResult probe =
        PalyraRun().Policy(PermitDomain()).Probe({"dns-ask", "1", name, "127.0.0.53"});
    EXPECT_EQ(probe.verdict, "allowed") << name << '\n' << probe;
    EXPECT_THAT(probe.detail,
                testing::AnyOf("127.0.0.53:53=1", "127.0.0.53:53=3", "127.0.0.53:53=5"))
        << name;
  }
  EXPECT_EQ(Asked().size(), asked) << "one of them left";
}

// libc takes them for addresses, and so does the kernel.
TEST_F(Names, NumbersAreAddresses) {
  for (const std::string number : {"0x7f.1", "2130706433", "0177.0.0.1", "127.1"}) {
    EXPECT_NE(ProbeBare({"name-connect", number, kPort}).error, "EPERM") << number;
    const ProbeResult probe = Connect(PermitDomain(), number);
    EXPECT_EQ(probe.Summary(), "denied EPERM") << number << '\n' << probe;
    ASSERT_FALSE(probe.audit.empty());
    EXPECT_EQ(probe.audit[0].address, "127.0.0.1");
  }
  EXPECT_THAT(Asked(), IsEmpty());
}

// DNS over TLS and HTTPS are connections like any other.
TEST_F(Names, NoOtherResolverIsReached) {
  for (const std::string port : {"853", "443", "784", "8853"}) {
    for (const std::string verb : {"tcp-connect", "udp-sendto", "udp-connect-send"}) {
      for (const std::string_view server : {kDeniedV4, kDeniedV6}) {
        const std::vector<std::string> arguments = {verb, std::string(server), port};
        Observer().Start();
        (void)ProbeBare(arguments);
        EXPECT_GT(Observer().PacketsFor(server), 0U) << "the control did not arrive";
        Observer().Start();
        const ProbeResult probe = PalyraRun().Policy(PermitDomain()).Probe(arguments);
        EXPECT_EQ(probe.Summary(), "denied EPERM") << probe;
        ExpectUntouched(server);
      }
    }
  }
}

TEST_F(Names, EndWithTheirTime) {
  const std::string probe = BinaryPath("palyra_probe");
  const Ended ended =
      PalyraRun()
          .Policy(PermitDomain())
          .Run({"sh", "-c",
                probe + " name-connect short.a.test " + kPort + "; " + probe + " tcp-connect " +
                    std::string(kPublicV4) + " " + kPort + "; sleep 2; " + probe + " tcp-connect " +
                    std::string(kPublicV4) + " " + kPort});
  EXPECT_THAT(ended.output, HasSubstr("name-connect allowed none"));
  EXPECT_THAT(ended.output, HasSubstr("tcp-connect allowed none"));
  EXPECT_THAT(ended.output, testing::EndsWith("tcp-connect denied EPERM\n")) << Describe(ended);
}

TEST_F(Names, DnsReachesTheResolverWhomeverItIsFor) {
  Observer().Start();
  // Servers that are not there, from one socket each: an answer comes from whom it was asked of.
  const ProbeResult v4 = PalyraRun()
                             .Policy(PermitDomain())
                             .Probe({"dns-ask", "1", "a.test", std::string(kPublicV4),
                                     std::string(kDeniedV4), "127.0.0.53", std::string(kPublicV4)});
  EXPECT_EQ(v4.detail, std::string(kPublicV4) + ":53=0," + std::string(kDeniedV4) +
                           ":53=0,127.0.0.53:53=0," + std::string(kPublicV4) + ":53=0")
      << v4;
  const ProbeResult v6 =
      PalyraRun()
          .Policy(PermitDomain())
          .Probe({"dns-ask", "1", "a.test", std::string(kPublicV6), "::1", "::ffff:198.51.100.20"});
  EXPECT_EQ(v6.detail, std::string(kPublicV6) + ":53=0,::1:53=0,::ffff:198.51.100.20:53=0") << v6;
  ExpectUntouched(kPublicV4);
  ExpectUntouched(kPublicV6);
  ExpectUntouched(kDeniedV4);
}

TEST_F(Names, ASocketKnowsAsManyServersAsItCanTellApart) {
  const ProbeResult probe = PalyraRun()
                                .Policy(PermitDomain())
                                .Probe({"dns-ask", "1", "a.test", "127.0.0.51", "127.0.0.52",
                                        "127.0.0.53", "127.0.0.54", "127.0.0.55"});
  EXPECT_EQ(probe.Summary(), "denied EPERM") << probe;
}

TEST_F(Names, SocketsSeeThePeerThatTheyAskedFor) {
  for (const char* protocol : {"tcp", "udp"}) {
    for (const std::string_view server : {kPublicV4, kPublicV6}) {
      const ProbeResult probe =
          PalyraRun().Policy(PermitDomain()).Probe({"dns-peer", protocol, std::string(server)});
      EXPECT_EQ(probe.detail, std::string(server) + ":53") << probe;
    }
  }
}

TEST_F(Names, NoOtherKindOfRecordLeaves) {
  // NS, SOA, NULL, PTR, MX, TXT, DNSKEY, AXFR, ANY, CAA, one that is private and one that is none.
  for (const char* type :
       {"2", "6", "10", "12", "15", "16", "48", "252", "255", "257", "65280", "0"}) {
    const ProbeResult probe =
        PalyraRun().Policy(PermitDomain()).Probe({"dns-ask", type, "a.test", "127.0.0.53"});
    // REFUSED; or NXDOMAIN, for the names of addresses.
    const bool is_ptr = std::string(type) == "12";
    EXPECT_EQ(probe.detail, is_ptr ? "127.0.0.53:53=3" : "127.0.0.53:53=5") << type << probe;
  }
  EXPECT_THAT(Asked(), IsEmpty());
}

TEST_F(Names, ShorthandsTakeThem) {
  const auto connect = [](const char* rule, const char* name) {
    return PalyraRun().Option("--allow-net", rule).Probe({"name-connect", name, kPort});
  };
  EXPECT_EQ(connect("a.test", "a.test").Summary(), "allowed none");
  EXPECT_EQ(connect("a.test", "six.a.test").Summary(), "denied ENOENT");
  EXPECT_EQ(connect("*.a.test", "six.a.test").Summary(), "allowed none");
  EXPECT_EQ(connect("*.a.test", "a.test").Summary(), "denied ENOENT");
}

TEST_F(Names, UdpToADeniedPortIsSilentUntilItSends) {
  const std::string probe = BinaryPath("palyra_probe");
  const uint64_t before = Servers().At(kPublicV4, Transport::kUdp).bytes;
  Observer().Start();
  const PalyraRun run = std::move(PalyraRun().Policy(PermitDomain("resource.protocol == \"tcp\"")));
  const Ended ended = run.Run({"sh", "-c",
                               probe + " name-connect a.test " + kPort + "; " + probe +
                                   " udp-connect-send " + std::string(kPublicV4) + " " + kUdpPort});
  EXPECT_THAT(ended.output, HasSubstr("udp-connect-send denied EPERM")) << Describe(ended);
  EXPECT_EQ(Servers().At(kPublicV4, Transport::kUdp).bytes, before);
}

// The resolver of a run that is a child of `parent`; 0 where there is none.
pid_t ResolverOf(pid_t parent) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string status = ReadText(entry.path() / "status");
    if (status.find("Name:\tpalyra-resolver\n") != std::string::npos &&
        status.find("PPid:\t" + std::to_string(parent) + "\n") != std::string::npos) {
      return std::stoi(entry.path().filename());
    }
  }
  return 0;
}

TEST_F(Names, TheResolverHasNoPrivileges) {
  const PalyraRun run = std::move(PalyraRun().Policy(PermitDomain()));
  // An answer shows that the resolver is where it wants to be.
  Subprocess process(run.CommandLine(
      {"sh", "-c", BinaryPath("palyra_probe") + " name-connect a.test " + kPort + "; sleep 60"}));
  ASSERT_TRUE(process.WaitForOutput("name-connect allowed none"));
  const pid_t resolver = ResolverOf(process.pid());
  ASSERT_NE(resolver, 0);
  const std::string status = ReadText("/proc/" + std::to_string(resolver) + "/status");
  EXPECT_THAT(status, HasSubstr("Uid:\t65534\t65534\t65534\t65534\n"));
  EXPECT_THAT(status, HasSubstr("Gid:\t65534\t65534\t65534\t65534\n"));
  EXPECT_THAT(status, HasSubstr("CapPrm:\t0000000000000000\n"));
  EXPECT_THAT(status, HasSubstr("CapEff:\t0000000000000000\n"));
  EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1\n"));
  EXPECT_THAT(status, HasSubstr("Seccomp:\t2\n"));
  process.Signal(SIGKILL);
  process.Wait();
  const auto lives = [resolver] {
    const std::string now = ReadText("/proc/" + std::to_string(resolver) + "/status");
    return !now.empty() && now.find("State:\tZ") == std::string::npos;
  };
  for (int i = 0; i < 5000 && lives(); ++i) usleep(1000);
  EXPECT_FALSE(lives()) << "it dies with its run";
}

// The ports of 127.0.0.1 at which somebody takes datagrams in this network namespace.
std::vector<uint16_t> LoopbackPorts() {
  std::vector<uint16_t> ports;
  std::istringstream lines(ReadText("/proc/thread-self/net/udp"));
  for (std::string line; std::getline(lines, line);) {
    const size_t at = line.find(": 0100007F:");
    if (at != std::string::npos) {
      ports.push_back(static_cast<uint16_t>(std::stoul(line.substr(at + 11, 4), nullptr, 16)));
    }
  }
  return ports;
}

TEST_F(Names, TheResolverAnswersItsRunAlone) {
  const PalyraRun run = std::move(PalyraRun().Policy(PermitDomain()));
  const std::string probe = BinaryPath("palyra_probe");
  SpawnOptions options;
  options.terminal = true;
  Subprocess process(run.CommandLine({"sh", "-c",
                                      probe + " dns-ask 1 a.test 127.0.0.53; read on; " + probe +
                                          " dns-ask 28 six.a.test 127.0.0.53"}),
                     options);
  ASSERT_TRUE(process.WaitForOutput("127.0.0.53:53=0"));
  const size_t asked = Asked().size();
  const std::vector<uint16_t> ports = LoopbackPorts();
  ASSERT_GE(ports.size(), 4U);
  for (const uint16_t port : ports) {
    const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in resolver = {};
    resolver.sin_family = AF_INET;
    resolver.sin_port = htons(port);
    resolver.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const broker::Bytes query =
        broker::Message(1, broker::kRd).Question("other.a.test", broker::kTypeA).bytes();
    EXPECT_EQ(sendto(fd.get(), query.data(), query.size(), 0,
                     reinterpret_cast<sockaddr*>(&resolver), sizeof(resolver)),
              static_cast<ssize_t>(query.size()));
  }
  process.Type("\n");
  EXPECT_TRUE(process.WaitForOutput("dns-ask allowed none 127.0.0.53:53=0\r\n"));
  process.Wait();
  EXPECT_THAT(Asked(), Not(Contains("other.a.test")));
  EXPECT_GT(Asked().size(), asked) << "the run was answered after that";
}

TEST_F(Names, WithoutItsResolverARunFindsNothing) {
  const PalyraRun run = std::move(PalyraRun().Policy(PermitDomain()));
  const std::string connect = BinaryPath("palyra_probe") + " name-connect a.test " + kPort;
  SpawnOptions options;
  options.terminal = true;
  Subprocess process(run.CommandLine({"sh", "-c",
                                      connect + "; read gone; " + BinaryPath("palyra_probe") +
                                          " dns-ask 1 a.test 127.0.0.53; echo over"}),
                     options);
  ASSERT_TRUE(process.WaitForOutput("name-connect allowed none"));
  const pid_t resolver = ResolverOf(process.pid());
  ASSERT_NE(resolver, 0);
  kill(resolver, SIGKILL);
  ASSERT_TRUE(process.WaitForOutput("cannot look up names any more"));
  process.Type("\n");
  const Ended ended = process.Wait();
  EXPECT_THAT(ended.output, HasSubstr("dns-ask other"));
  EXPECT_THAT(ended.output, HasSubstr("over"));
}

}  // namespace
}  // namespace palyra::tests
