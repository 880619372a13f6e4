// Connections that a policy allows only once they are verified: what the client says it wants must
// be a name that the run may reach. Servers that share one address are told apart here.

#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/e2e/names_fixture.h"
#include "tests/e2e/policies.h"
#include "tests/support/subprocess.h"
#include "tests/unit/broker/hellos.h"

namespace palyra::tests {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

std::string VerifyDomain(std::string_view condition = "true") {
  return std::string(
             "@verify(\"sni\") permit (principal, action == Palyra::Action::\"net.connect\", "
             "resource in Palyra::Domain::\"a.test\") when { ")
      .append(condition)
      .append(" };\n");
}

std::string Hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    text += kDigits[static_cast<uint8_t>(byte) >> 4U];
    text += kDigits[static_cast<uint8_t>(byte) & 0xFU];
  }
  return text;
}

std::string Request(std::string_view host) {
  return std::string("GET / HTTP/1.1\r\nHost: ").append(host).append("\r\n\r\n");
}

class Relay : public Names {
 protected:
  // What the server at the public address has heard.
  static uint64_t HeardAt(std::string_view address) {
    return Servers().At(address, Transport::kTcp).bytes;
  }

  static ProbeResult Say(const std::string& policy, const std::string& name,
                         const std::string& said) {
    return PalyraRun().Policy(policy).Probe({"name-say", name, kPort, Hex(said)});
  }

  // That nothing of `said` reaches the server, and why.
  static void ExpectDenied(const std::string& said, const std::string& name, std::string_view why) {
    const uint64_t before = HeardAt(kPublicV4);
    const ProbeResult probe = Say(VerifyDomain(), "a.test", said);
    EXPECT_EQ(HeardAt(kPublicV4), before) << probe;
    EXPECT_THAT(probe.raw, HasSubstr(why)) << probe;
    ASSERT_FALSE(probe.audit.empty()) << probe;
    EXPECT_EQ(probe.audit[0].action, "net.connect");
    EXPECT_EQ(probe.audit[0].verdict, "deny");
    EXPECT_EQ(probe.audit[0].address, kPublicV4);
    EXPECT_EQ(std::to_string(probe.audit[0].port), kPort);
    if (name.empty()) {
      EXPECT_THAT(probe.audit[0].names, IsEmpty());
    } else {
      EXPECT_THAT(probe.audit[0].names, ElementsAre(name));
    }
  }
};

TEST_F(Relay, CarriesWhatAsksForAnAllowedName) {
  for (const std::string& said : {OpenSslHello("a.test"), Request("a.test")}) {
    const uint64_t before = HeardAt(kPublicV4);
    const ProbeResult probe = Say(VerifyDomain(), "a.test", said);
    EXPECT_EQ(probe.Summary(), "allowed none") << probe;
    EXPECT_THAT(probe.detail, StartsWith(std::string(kPublicV4) + ":" + kPort));
    EXPECT_TRUE(Servers().WaitForMore(kPublicV4, Transport::kTcp, before)) << probe;
    EXPECT_THAT(probe.audit, IsEmpty());
  }
  const uint64_t before = HeardAt(kPublicV6);
  const ProbeResult v6 = Say(VerifyDomain(), "six.a.test", OpenSslHello("six.a.test"));
  EXPECT_THAT(v6.detail, StartsWith(std::string(kPublicV6) + ":" + kPort)) << v6;
  EXPECT_TRUE(Servers().WaitForMore(kPublicV6, Transport::kTcp, before)) << v6;
}

TEST_F(Relay, AnotherNameAtTheSameAddressIsDenied) {
  const uint64_t before = HeardAt(kPublicV4);
  const ProbeResult control = Say(PermitDomain(), "a.test", OpenSslHello("evil.test"));
  EXPECT_EQ(control.Summary(), "allowed none") << control;
  EXPECT_TRUE(Servers().WaitForMore(kPublicV4, Transport::kTcp, before));
  ExpectDenied(OpenSslHello("evil.test"), "evil.test", "as evil.test");
  ExpectDenied(Request("evil.test"), "evil.test", "as evil.test");
}

// Allowed by the policy, but nobody looked it up: it has no address.
TEST_F(Relay, ANameThatTheRunDidNotLookUpIsNotReached) {
  ExpectDenied(OpenSslHello("other.a.test"), "other.a.test", "as other.a.test");
}

TEST_F(Relay, WhatSaysNoNameIsDenied) {
  ExpectDenied(OpenSslHello(""), "", "net.connect tcp");
  ExpectDenied("SSH-2.0-OpenSSH_9.2\r\n", "", "net.connect tcp");
  ExpectDenied("GET / HTTP/1.0\r\n\r\n", "", "net.connect tcp");
  constexpr size_t kEncryptedClientHello = 0xFE0D;
  ExpectDenied(Hello(ServerName("a.test") + Extension(kEncryptedClientHello, "x")), "a.test",
               "net.connect tcp");
}

TEST_F(Relay, OnlyTcpCanBeVerified) {
  const std::string probe = BinaryPath("palyra_probe");
  const uint64_t before = Servers().At(kPublicV4, Transport::kUdp).bytes;
  const Ended ended =
      PalyraRun()
          .Policy(VerifyDomain())
          .Run({"sh", "-c",
                probe + " name-say a.test " + kPort + " " + Hex(OpenSslHello("a.test")) + "; " +
                    probe + " udp-connect-send " + std::string(kPublicV4) + " " + kUdpPort + "; " +
                    probe + " udp-sendto " + std::string(kPublicV4) + " " + kUdpPort});
  EXPECT_THAT(ended.output, HasSubstr("name-say allowed none")) << Describe(ended);
  EXPECT_THAT(ended.output, HasSubstr("udp-connect-send denied EPERM")) << Describe(ended);
  EXPECT_THAT(ended.output, HasSubstr("udp-sendto denied EPERM")) << Describe(ended);
  EXPECT_EQ(Servers().At(kPublicV4, Transport::kUdp).bytes, before);
}

TEST_F(Relay, APlainPermitBesideItNeedsNoVerification) {
  const uint64_t before = HeardAt(kPublicV4);
  const ProbeResult probe = Say(VerifyDomain() + PermitDomain(), "a.test", "SSH-2.0-x\r\n");
  EXPECT_EQ(probe.Summary(), "allowed none") << probe;
  EXPECT_TRUE(Servers().WaitForMore(kPublicV4, Transport::kTcp, before));
}

TEST_F(Relay, TheNamesAddressesAloneAreNotReached) {
  Observer().Start();
  const ProbeResult probe =
      PalyraRun().Policy(VerifyDomain()).Probe({"tcp-connect", std::string(kPublicV4), kPort});
  EXPECT_EQ(probe.Summary(), "denied EPERM") << probe;
  ExpectUntouched(kPublicV4);
}

std::string VerifyName(std::string_view name, std::string_view condition) {
  return std::string(
             "@verify(\"sni\") permit (principal, action == Palyra::Action::\"net.connect\", "
             "resource) when { resource has domain && resource.domain == \"")
      .append(name)
      .append("\" && ")
      .append(condition)
      .append(" };\n");
}

// Both names have one address, which the run may go on reaching: only the relay knows better.
TEST_F(Relay, NewRulesEndTheConnectionsThatTheyDeny) {
  constexpr std::chrono::seconds kOpen{4};
  const std::string policy =
      VerifyName("a.test", "context has now && context.now < datetime(\"" + Moment(kOpen) + "\")") +
      VerifyName("evil.test", "true");
  const std::string probe = BinaryPath("palyra_probe");
  const uint64_t before = HeardAt(kPublicV4);
  const Ended ended = PalyraRun().Policy(policy).Run(
      {"sh", "-c",
       probe + " name-say evil.test " + kPort + " " + Hex(OpenSslHello("evil.test")) + "; " +
           probe + " name-hold a.test " + kPort + " " + Hex(OpenSslHello("a.test")) + "; " + probe +
           " name-say evil.test " + kPort + " " + Hex(OpenSslHello("evil.test"))});
  EXPECT_THAT(ended.output, HasSubstr("name-hold other ECONNRESET")) << Describe(ended);
  EXPECT_THAT(ended.output, HasSubstr("name-say allowed none")) << Describe(ended);
  EXPECT_GT(HeardAt(kPublicV4), before) << "it was open";
  EXPECT_THAT(ended.error_output, HasSubstr("as a.test")) << Describe(ended);
}

// A child of `parent` with that name; 0 where there is none.
pid_t ChildOf(pid_t parent, const std::string& name) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string status = ReadText(entry.path() / "status");
    if (status.find("Name:\t" + name + "\n") != std::string::npos &&
        status.find("PPid:\t" + std::to_string(parent) + "\n") != std::string::npos) {
      return std::stoi(entry.path().filename());
    }
  }
  return 0;
}

TEST_F(Relay, WithoutItNothingIsReached) {
  const std::string say =
      BinaryPath("palyra_probe") + " name-say a.test " + kPort + " " + Hex(OpenSslHello("a.test"));
  const PalyraRun run = std::move(PalyraRun().Policy(VerifyDomain()));
  Subprocess process(run.CommandLine({"sh", "-c", say + "; sleep 1; " + say + "; " + say}), {});
  ASSERT_TRUE(process.WaitForOutput("name-say allowed none"));
  const uint64_t before = HeardAt(kPublicV4);
  const pid_t relay = ChildOf(process.pid(), "palyra-relay");
  ASSERT_GT(relay, 0);
  ASSERT_EQ(kill(relay, SIGKILL), 0);
  const Ended ended = process.Wait();
  EXPECT_THAT(ended.output, testing::EndsWith("name-say denied EPERM\n")) << Describe(ended);
  EXPECT_EQ(HeardAt(kPublicV4), before);
}

// The kernel answers for a client that is gone, with packets that are of no socket of the run.
TEST_F(Relay, HearsThatAClientIsGone) {
  const std::string close_at_once =
      "bash -c 'exec 3<>/dev/tcp/a.test/" + std::string(kPort) +
      "; printf \"GET / HTTP/1.1\\r\\nHost: a.test\\r\\n\\r\\n\" >&3; "
      "exec 3>&-'; ";
  // A socket in LAST_ACK (09) that hears nothing stays for most of a minute.
  const std::string wait_for_none =
      "sleep 1; for i in $(seq 50); do "
      "grep -q '^ *[0-9]*: [^ ]* [^ ]* 09 ' /proc/net/tcp || { echo none; exit; }; sleep 0.2; "
      "done; "
      "cat /proc/net/tcp /proc/net/snmp";
  const Ended ended =
      PalyraRun()
          .Policy(VerifyDomain())
          .Run({"sh", "-c", close_at_once + close_at_once + close_at_once + wait_for_none});
  EXPECT_EQ(ended.output, "none\n") << Describe(ended);
}

TEST_F(Relay, HasNoPrivileges) {
  const PalyraRun run = std::move(PalyraRun().Policy(VerifyDomain()));
  Subprocess process(run.CommandLine({"sleep", "20"}), {});
  pid_t relay = 0;
  ASSERT_TRUE(Eventually([&] { return (relay = ChildOf(process.pid(), "palyra-relay")) > 0; }));
  const std::filesystem::path status = "/proc/" + std::to_string(relay) + "/status";
  ASSERT_TRUE(
      Eventually([&] { return ReadText(status).find("Seccomp:\t2") != std::string::npos; }));
  const std::string text = ReadText(status);
  EXPECT_THAT(text, HasSubstr("Uid:\t65534\t65534\t65534\t65534\n"));
  EXPECT_THAT(text, HasSubstr("CapEff:\t0000000000000000\n"));
  EXPECT_THAT(text, HasSubstr("NoNewPrivs:\t1\n"));
  process.Signal(SIGTERM);
  (void)process.Wait();
  EXPECT_TRUE(Eventually([&] { return !std::filesystem::exists(status); }))
      << "it dies with its run";
}

}  // namespace
}  // namespace palyra::tests
