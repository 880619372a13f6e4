// Loopback is network too: servers of this machine, servers of the run itself, and the addresses
// that the kernel turns into loopback after the hooks have seen them.

#include <memory>

#include "tests/e2e/egress_fixture.h"
#include "tests/e2e/policies.h"

namespace palyra::tests {
namespace {

const std::string kTcp = std::to_string(PortOf(Transport::kTcp));
const std::string kUdp = std::to_string(PortOf(Transport::kUdp));
constexpr const char* kPairPort = "7100";

class EgressLoopback : public EgressTest {
 protected:
  // Servers on this side, where the runs are.
  void SetUp() override {
    EgressTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    local_ = std::make_unique<Listeners>(
        std::vector<std::string_view>{"127.0.0.1", "::1", kOwnV4, kOwnV6},
        std::vector<Transport>{Transport::kTcp, Transport::kUdp});
  }

  [[nodiscard]] uint64_t HeardInAll() const {
    uint64_t sum = 0;
    for (const std::string_view address :
         {std::string_view("127.0.0.1"), std::string_view("::1"), kOwnV4, kOwnV6}) {
      for (const Transport transport : {Transport::kTcp, Transport::kUdp}) {
        const Heard heard = local_->At(address, transport);
        sum += heard.connections + heard.bytes;
      }
    }
    return sum;
  }

  // A datagram on the same loopback after the probe has ended: once it is heard, so is everything
  // that the probe sent before.
  void Settle() const {
    const uint64_t before = local_->At("127.0.0.1", Transport::kUdp).bytes;
    ASSERT_EQ(ProbeBare({"udp-sendto", "127.0.0.1", kUdp}).Summary(), "allowed none");
    ASSERT_TRUE(local_->WaitForMore("127.0.0.1", Transport::kUdp, before));
  }

  void ExpectUnheard(const std::string& policy, const std::vector<std::string>& probe_arguments) {
    const uint64_t before = HeardInAll();
    const ProbeResult probe = PalyraRun().Policy(policy).Probe(probe_arguments);
    EXPECT_EQ(probe.Summary(), "denied EPERM") << probe;
    EXPECT_EQ(HeardInAll(), before) << "a local server heard the run";
    Settle();
    constexpr uint64_t kSettleBytes = 12;
    EXPECT_EQ(HeardInAll(), before + kSettleBytes) << "a local server heard the run";
  }

  static std::string ForbidLoopback() {
    return std::string(kPermitAll) + ForbidWhen("resource.address.isLoopback()");
  }

  std::unique_ptr<Listeners> local_;
};

TEST_F(EgressLoopback, AnswersWhereAPolicyPermitsIt) {
  for (const std::string address : {"127.0.0.1", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1"}) {
    EXPECT_EQ(ProbeBare({"tcp-connect", address, kTcp}).Summary(), "allowed none") << address;
  }
  EXPECT_EQ(PalyraRun().Policy(kPermitAll).Probe({"tcp-connect", "127.0.0.1", kTcp}).Summary(),
            "allowed none");
}

TEST_F(EgressLoopback, IsOutOfReachWhereForbidden) {
  for (const std::string address : {"127.0.0.1", "::1", "::ffff:127.0.0.1"}) {
    ExpectUnheard(ForbidLoopback(), {"tcp-connect", address, kTcp});
    ExpectUnheard(ForbidLoopback(), {"udp-sendto", address, kUdp});
  }
}

TEST_F(EgressLoopback, UnspecifiedAddressesDoNotReachAForbiddenLoopback) {
  for (const std::string address : {"0.0.0.0", "::", "::ffff:0.0.0.0"}) {
    ExpectUnheard(ForbidLoopback(), {"tcp-connect", address, kTcp});
    ExpectUnheard(ForbidLoopback(), {"tcp-fastopen", address, kTcp});
    ExpectUnheard(ForbidLoopback(), {"udp-sendto", address, kUdp});
    ExpectUnheard(ForbidLoopback(), {"udp-connect-send", address, kUdp});
  }
}

// connect() to 0.0.0.0 on a bound socket goes to the address that it is bound to.
TEST_F(EgressLoopback, ABoundSourceDoesNotMakeAForbiddenOwnAddressReachable) {
  const std::string policy = std::string(kPermitAll) + ForbidWhen(AddressIsOneOf({kOwnV4, kOwnV6}));
  const std::string own(kOwnV4);
  const uint64_t before = local_->At(kOwnV4, Transport::kTcp).bytes;
  EXPECT_EQ(ProbeBare({"tcp-bound-connect", own, "0.0.0.0", kTcp}).Summary(), "allowed none");
  ASSERT_TRUE(local_->WaitForMore(kOwnV4, Transport::kTcp, before));
  ExpectUnheard(policy, {"tcp-bound-connect", own, "0.0.0.0", kTcp});
  ExpectUnheard(policy, {"tcp-connect", own, kTcp});
}

TEST_F(EgressLoopback, AServerAndItsClientMeetInOneRunWherePermitted) {
  for (const std::string address : {"127.0.0.1", "::1"}) {
    const ProbeResult probe =
        PalyraRun().Policy(kPermitAll).Probe({"tcp-pair", address, kPairPort});
    EXPECT_EQ(probe.Summary(), "allowed none") << probe;
  }
}

TEST_F(EgressLoopback, AServerHearsNobodyWithoutPermissionToAccept) {
  const std::string policy =
      "permit (principal, action in [Palyra::Action::\"net.connect\", "
      "Palyra::Action::\"net.bind\", Palyra::Action::\"net.listen\"], resource);\n";
  for (const std::string address : {"127.0.0.1", "::1"}) {
    const ProbeResult probe = PalyraRun().Policy(policy).Probe({"tcp-pair", address, kPairPort});
    EXPECT_NE(probe.verdict, "allowed") << probe;
    ASSERT_FALSE(probe.audit.empty()) << probe;
    EXPECT_EQ(probe.audit.front().action, "net.accept") << probe;
    EXPECT_EQ(probe.audit.front().address, address) << probe;
  }
}

// Who binds a socket to a device sends over it to an address that was judged as this machine's.
TEST_F(EgressLoopback, DoesNotLeaveByAnotherDevice) {
  const std::vector<std::string> probe = {"udp-device-sendto", std::string(kOwnInterface),
                                          "127.0.0.1", kUdp};
  Observer().Start();
  EXPECT_EQ(ProbeBare(probe).Summary(), "allowed none");
  EXPECT_GT(Observer().PacketsFor("127.0.0.1"), 0U) << "the control does not leave";
  Observer().Start();
  const ProbeResult denied = PalyraRun().Policy(kPermitAll).Probe(probe);
  EXPECT_EQ(denied.Summary(), "denied EPERM") << denied;
  ExpectUntouched("127.0.0.1");
}

}  // namespace
}  // namespace palyra::tests
