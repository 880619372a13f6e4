// connect() where policies ask: it waits for a grant, and whatever is done meanwhile, the programs
// decide.

#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "tests/e2e/egress_fixture.h"
#include "tests/e2e/held_fixture.h"
#include "tests/e2e/policies.h"

namespace palyra::tests {
namespace {

constexpr const char* kLong = "600";

std::string AskDeniedHost() {
  return PermitAllowedHost() + AskWhen("net.connect", AddressIsOneOf({kDeniedV4, kDeniedV6}));
}

std::string Tcp() { return std::to_string(PortOf(Transport::kTcp)); }
std::string Denied() { return std::string(kDeniedV4); }
std::string Allowed() { return std::string(kAllowedV4); }

class HeldConnect : public EgressTest {
 protected:
  void SetUp() override {
    EgressTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    run_.Policy(AskDeniedHost());
    ASSERT_TRUE(HeldNow().empty());
  }

  // From now on what is asked waits so long.
  PalyraRun& Holding(const char* time = kLong) {
    if (!std::exchange(holds_, true)) run_.Option("--hold", time);
    return run_;
  }

  // Waits until it is held, and says where.
  static HeldLine Await() {
    const std::vector<HeldLine> held = AwaitHeld(1);
    return held.empty() ? HeldLine{.run = {}, .event = {}, .asking = {}, .grant = {}, .refuse = {}}
                        : held[0];
  }

  PalyraRun run_;

 private:
  bool holds_ = false;
};

struct Way {
  const char* name;
  const char* verb;
  Transport transport;
  const char* protocol;
};

void PrintTo(const Way& way, std::ostream* stream) { *stream << way.name; }

class HeldConnectWay : public HeldConnect,
                       public testing::WithParamInterface<std::tuple<Way, Family>> {
 protected:
  const Way way_ = std::get<0>(GetParam());
  const Family family_ = std::get<1>(GetParam());
};

TEST_P(HeldConnectWay, WaitsForAGrantAndThenArrives) {
  const std::string port = std::to_string(PortOf(way_.transport));
  const std::string_view host = CanonicalDeniedHost(family_);
  const std::vector<std::string> probe = {way_.verb, DeniedHost(family_), port};
  const ProbeResult unasked = run_.Probe(probe);
  EXPECT_EQ(unasked.Summary(), "denied EPERM") << unasked;

  Observer().Start();
  const Heard before = Servers().At(host, way_.transport);
  HeldProbe held(Holding(), probe);
  const HeldLine line = Await();
  const std::string endpoint =
      (family_ == Family::kV6 ? '[' + std::string(host) + ']' : std::string(host)) + ':' + port;
  EXPECT_EQ(line.event, std::string("net.connect ") + way_.protocol + ' ' + endpoint);
  EXPECT_EQ(line.asking, std::vector<std::string>{"is it needed?"});
  ExpectUntouched(host);
  ASSERT_EQ(Answer(line.grant), 0);
  const ProbeResult done = held.Wait();
  EXPECT_EQ(done.Summary(), "allowed none") << done;
  EXPECT_TRUE(Servers().WaitForMore(host, way_.transport, before.bytes));
  EXPECT_TRUE(HeldNow().empty());
}

constexpr auto kWays = std::to_array<Way>({
    {"Tcp", "tcp-connect", Transport::kTcp, "tcp"},
    {"TcpNonblocking", "tcp-connect-nonblocking", Transport::kTcp, "tcp"},
    {"Mptcp", "mptcp-connect", Transport::kMptcp, "tcp"},
    {"Udp", "udp-connect-send", Transport::kUdp, "udp"},
});

INSTANTIATE_TEST_SUITE_P(
    , HeldConnectWay,
    testing::Combine(testing::ValuesIn(kWays),
                     testing::Values(Family::kV4, Family::kV6, Family::kV4Mapped)),
    [](const auto& each) {
      return std::string(std::get<0>(each.param).name).append(FamilyName(std::get<1>(each.param)));
    });

TEST_F(HeldConnect, IsDeniedWhereNobodyAnswersInTime) {
  Observer().Start();
  const ProbeResult probe = Holding("0.3").Probe({"tcp-connect", Denied(), Tcp()});
  EXPECT_EQ(probe.Summary(), "denied EPERM") << probe;
  EXPECT_NE(probe.raw.find("nobody has allowed it in time"), std::string::npos) << probe;
  ExpectUntouched(kDeniedV4);
  ExpectAudit(probe, "net.connect", "tcp", kDeniedV4, PortOf(Transport::kTcp), "caller", "policy1");
  EXPECT_TRUE(HeldNow().empty());
}

TEST_F(HeldConnect, IsDeniedAtOnceWhereItIsRefused) {
  Observer().Start();
  HeldProbe held(Holding(), {"tcp-connect", Denied(), Tcp()});
  const HeldLine line = Await();
  ASSERT_EQ(Answer(line.refuse), 0);
  const ProbeResult done = held.Wait();
  EXPECT_EQ(done.Summary(), "denied EPERM") << done;
  ExpectUntouched(kDeniedV4);
  EXPECT_NE(Answer(line.refuse), 0) << "it does not wait any more";
}

TEST_F(HeldConnect, AGrantOfOneUseIsForOneCall) {
  const std::string probe = BinaryPath("palyra_probe") + " tcp-connect " + Denied() + ' ' + Tcp();
  Subprocess run(Holding().CommandLine({"/bin/sh", "-c", probe + "; " + probe}));
  const HeldLine first = Await();
  EXPECT_EQ(first.call, 1);
  ASSERT_EQ(Answer(first.grant), 0);
  ASSERT_TRUE(run.WaitForOutput("tcp-connect allowed"));
  const HeldLine second = Await();
  EXPECT_EQ(second.call, 2);
  EXPECT_EQ(second.event, first.event);
  ASSERT_EQ(Answer(second.refuse), 0);
  const Ended ended = run.Wait();
  EXPECT_NE(ended.output.find("tcp-connect denied EPERM"), std::string::npos) << Describe(ended);
}

// What was shown was one address, and what the call finds in its memory is another.
TEST_F(HeldConnect, WhatTheCallerChangesMeanwhileGainsNothing) {
  run_.Policy(AskWhen("net.connect", AddressIsOneOf({kPublicV4})));
  const std::vector<std::string> swapped = {"tcp-connect-swapped", std::string(kPublicV4), Tcp(),
                                            Denied(), Tcp()};
  {
    HeldProbe control(Holding(), swapped);
    ASSERT_EQ(Answer(Await().grant), 0);
    const ProbeResult done = control.Wait();
    EXPECT_EQ(done.Summary(), "allowed none") << "without the swap: " << done;
  }
  Observer().Start();
  HeldProbe held(run_, swapped);
  const HeldLine line = Await();
  EXPECT_EQ(line.event, "net.connect tcp " + std::string(kPublicV4) + ':' + Tcp());
  ASSERT_EQ(kill(line.pid, SIGUSR1), 0);
  // The thread that waits for the signal is gone once it has swapped.
  ASSERT_TRUE(Eventually([&] {
    const std::filesystem::path tasks = "/proc/" + std::to_string(line.pid) + "/task";
    return std::distance(std::filesystem::directory_iterator(tasks),
                         std::filesystem::directory_iterator()) == 1;
  }));
  ASSERT_EQ(Answer(line.grant), 0);
  const ProbeResult done = held.Wait();
  EXPECT_EQ(done.Summary(), "denied EPERM") << done;
  ExpectUntouched(kDeniedV4);
  ExpectUntouched(kPublicV4);
}

TEST_F(HeldConnect, ASignalDoesNotAskTwice) {
  HeldProbe held(Holding(), {"tcp-connect-signaled", Denied(), Tcp()});
  const HeldLine line = Await();
  ASSERT_EQ(kill(line.pid, SIGUSR1), 0);
  const std::vector<HeldLine> after = AwaitHeld(1);
  ASSERT_EQ(after.size(), 1U);
  EXPECT_EQ(after[0].call, 1);
  ASSERT_EQ(Answer(line.grant), 0);
  const ProbeResult done = held.Wait();
  EXPECT_EQ(done.Summary(), "allowed none") << done;
  EXPECT_EQ(done.detail, "1") << "the signal came";
  EXPECT_EQ(done.raw.find("waits"), done.raw.rfind("waits")) << done;
}

TEST_F(HeldConnect, WhoDiesIsForgotten) {
  const std::string probe = BinaryPath("palyra_probe") + " tcp-connect " + Denied() + ' ' + Tcp();
  Subprocess run(Holding().CommandLine({"/bin/sh", "-c", probe + "; echo over; sleep 60"}));
  ASSERT_EQ(kill(Await().pid, SIGKILL), 0);
  EXPECT_TRUE(run.WaitForOutput("over"));
  EXPECT_TRUE(Eventually([] { return HeldNow().empty(); }));
  run.Signal(SIGTERM);
  (void)run.Wait();
}

TEST_F(HeldConnect, WhatIsNotAskedDoesNotWait) {
  const ProbeResult allowed = Holding().Probe({"tcp-connect", Allowed(), Tcp()});
  EXPECT_EQ(allowed.Summary(), "allowed none") << allowed;
  const ProbeResult denied = run_.Probe({"tcp-connect", std::string(kPublicV4), Tcp()});
  EXPECT_EQ(denied.Summary(), "denied EPERM") << denied;
  for (const ProbeResult& probe : {allowed, denied}) {
    EXPECT_EQ(probe.raw.find("waits"), std::string::npos) << probe;
  }
}

// Nobody could see in time what these reach.
TEST_F(HeldConnect, WhatCannotWaitIsDenied) {
  run_.Policy(AskWhen("net.send", AddressIsOneOf({kDeniedV4, kDeniedV6})));
  const std::string udp = std::to_string(PortOf(Transport::kUdp));
  Observer().Start();
  for (const std::vector<std::string>& verb :
       {std::vector<std::string>{"tcp-fastopen", Denied(), Tcp()},
        {"udp-sendto", Denied(), udp},
        {"udp-sendmsg", Denied(), udp},
        {"udp-sendmmsg", Denied(), udp},
        {"io-uring-connect", Denied(), Tcp()}}) {
    const ProbeResult probe = Holding().Probe(verb);
    EXPECT_EQ(probe.verdict, "denied") << verb[0] << '\n' << probe;
    EXPECT_EQ(probe.raw.find("waits"), std::string::npos) << verb[0] << '\n' << probe;
  }
  ExpectUntouched(kDeniedV4);
}

TEST_F(HeldConnect, DiesWithItsSupervisor) {
  HeldProbe held(Holding(), {"tcp-connect", Denied(), Tcp()});
  const HeldLine line = Await();
  held.supervisor().Signal(SIGKILL);
  (void)held.Wait();
  EXPECT_TRUE(Eventually([&] { return kill(line.pid, 0) != 0; }));
  EXPECT_TRUE(HeldNow().empty()) << "what it left is swept";
}

TEST_F(HeldConnect, OnlySoManyWaitAtOnce) {
  constexpr size_t kMost = 64;
  const std::string probe = BinaryPath("palyra_probe") + " tcp-connect " + Denied() + ' ' + Tcp();
  Subprocess run(Holding().CommandLine(
      {"/bin/sh", "-c",
       "i=0; while [ $i -lt 65 ]; do " + probe + " & i=$((i+1)); done; wait; sleep 60"}));
  EXPECT_TRUE(run.WaitForOutput("tcp-connect denied EPERM"));
  EXPECT_EQ(AwaitHeld(kMost).size(), kMost);
  run.Signal(SIGTERM);
  (void)run.Wait();
  EXPECT_TRUE(HeldNow().empty());
}

TEST_F(HeldConnect, OnlyARunThatAsksPaysForIt) {
  const std::vector<std::string> filters = {"/bin/sh", "-c",
                                            "grep Seccomp_filters /proc/self/status"};
  const auto count = [&](const PalyraRun& run) {
    const Ended ended = run.Run(filters);
    return ended.output.substr(ended.output.find('\t') + 1);
  };
  EXPECT_EQ(count(PalyraRun().Policy(PermitAllowedHost())), "1\n");
  EXPECT_EQ(count(PalyraRun().Policy(PermitAllowedHost()).Option("--hold", kLong)), "1\n");
  EXPECT_EQ(count(run_), "1\n");
  EXPECT_EQ(count(Holding()), "2\n");
}

TEST_F(HeldConnect, TheToolDoesNotGetTheListener) {
  const std::vector<std::string> list = {"/bin/sh", "-c", "ls -l /proc/$$/fd"};
  EXPECT_NE(run_.Run(list).output, "");
  const Ended with = Holding().Run(list);
  EXPECT_NE(with.output.find("pipe:"), std::string::npos) << Describe(with);
  EXPECT_EQ(with.output.find("seccomp"), std::string::npos) << Describe(with);
  EXPECT_EQ(with.output.find("socket"), std::string::npos) << Describe(with);
}

}  // namespace
}  // namespace palyra::tests
