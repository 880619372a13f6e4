// Sockets of an unusual kind or origin: from outside, of every other family, with more addresses
// than one, beside a port that somebody has.

#include <linux/io_uring.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "tests/e2e/egress_fixture.h"
#include "tests/e2e/policies.h"
#include "tests/support/subprocess.h"

namespace palyra::tests {
namespace {

constexpr const char* kUsers[] = {"1000", "0"};

class EgressSockets : public EgressTest {
 protected:
  static ProbeResult InRun(std::string_view policy, const std::vector<std::string>& arguments,
                           const std::string& user = std::string(kToolUser)) {
    return PalyraRun().Policy(policy).User(user).Probe(arguments);
  }
};

// Its cgroup would be the one that it was born in, and no program of the run would see it.
class EgressStream : public EgressSockets, public testing::WithParamInterface<int> {
 protected:
  // A run whose stream with that number is `fd`.
  static Ended With(int fd) {
    SpawnOptions options;
    const int stream = GetParam();
    options.in_child = [fd, stream] { return dup2(fd, stream) == stream ? 0 : 99; };
    return PalyraRun()
        .Policy(kPermitAll)
        .Run({BinaryPath("palyra_probe"), "exit-with", "7"}, options);
  }
};

TEST_P(EgressStream, IsNoSocketOfTheNetwork) {
  for (const int family : {AF_INET, AF_INET6, AF_NETLINK, AF_PACKET}) {
    const UniqueFd fd(socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ASSERT_TRUE(fd.valid()) << family;
    const Ended ended = With(fd.get());
    EXPECT_EQ(ended.status, 126) << family << '\n' << Describe(ended);
  }
}

TEST_P(EgressStream, IsNoRingThatActsOutside) {
  io_uring_params parameters = {};
  const UniqueFd ring(static_cast<int>(syscall(SYS_io_uring_setup, 4, &parameters)));
  ASSERT_TRUE(ring.valid());
  const Ended ended = With(ring.get());
  EXPECT_EQ(ended.status, 126) << Describe(ended);
}

TEST_P(EgressStream, MayBeASocketPair) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const UniqueFd first(ends[0]);
  const UniqueFd second(ends[1]);
  EXPECT_EQ(With(first.get()).status, 7);
}

INSTANTIATE_TEST_SUITE_P(Number, EgressStream, testing::Values(0, 1, 2),
                         testing::PrintToStringParamName());

TEST_F(EgressSockets, NoOtherFamilyIsLeft) {
  const ProbeResult bare = ProbeBare({"other-families"});
  EXPECT_EQ(bare.verdict, "allowed") << bare;
  for (const char* user : kUsers) {
    const ProbeResult probe = InRun(kPermitAll, {"other-families"}, user);
    EXPECT_EQ(probe.Summary(), "denied EAFNOSUPPORT") << probe;
  }
}

// Transports that no rule can speak of. Where the kernel has them, a run has not.
TEST_F(EgressSockets, OtherTransportsAreRefused) {
  for (const std::string transport : {"sctp", "dccp"}) {
    const bool is_there = ProbeBare({"socket", transport}).verdict == "allowed";
    for (const char* user : kUsers) {
      const ProbeResult probe = InRun(kPermitAll, {"socket", transport}, user);
      EXPECT_NE(probe.verdict, "allowed") << probe;
      if (is_there) {
        EXPECT_EQ(probe.Summary(), "denied EPERM") << probe;
      }
    }
  }
}

// ip-mptcp(8) in the outside namespace, or in this one.
bool IpMptcp(const std::vector<std::string>& words, bool outside) {
  SpawnOptions options;
  const int network = TestNetwork::Get().outside();
  if (outside) {
    options.in_child = [network] { return setns(network, CLONE_NEWNET) == 0 ? 0 : 126; };
  }
  const char* program = access("/usr/sbin/ip", X_OK) == 0 ? "/usr/sbin/ip" : "/sbin/ip";
  std::vector<std::string> line = {program, "mptcp"};
  line.insert(line.end(), words.begin(), words.end());
  const Ended ended = RunProgram(line, options);
  EXPECT_EQ(ended.status, 0) << Describe(ended);
  return ended.status == 0;
}

// The peer announces a second address, and the kernel connects there by itself.
TEST_F(EgressSockets, AConnectionDoesNotSpreadToAForbiddenAddress) {
  const std::string denied(kDeniedV4);
  ASSERT_TRUE(IpMptcp({"endpoint", "add", denied, "dev", "outside0", "signal"}, true));
  ASSERT_TRUE(IpMptcp({"limits", "set", "subflows", "4", "add_addr_accepted", "4"}, true));
  ASSERT_TRUE(IpMptcp({"limits", "set", "subflows", "4", "add_addr_accepted", "4"}, false));
  const std::vector<std::string> linger = {"mptcp-linger", std::string(kAllowedV4),
                                           std::to_string(PortOf(Transport::kMptcp))};
  Observer().Start();
  EXPECT_EQ(ProbeBare(linger).Summary(), "allowed none");
  EXPECT_GT(Observer().PacketsFor(kDeniedV4), 0U) << "the control did not spread";

  Observer().Start();
  const ProbeResult probe = InRun(PermitAllowedHost(), linger);
  EXPECT_EQ(probe.Summary(), "allowed none") << probe;
  EXPECT_GT(Observer().PacketsFor(kAllowedV4), 0U);
  ExpectUntouched(kDeniedV4);
  EXPECT_TRUE(IpMptcp({"endpoint", "flush"}, true));
}

// A server outside that shares its port, of the same user.
TEST_F(EgressSockets, APortThatSomebodyHasCannotBeShared) {
  constexpr uint16_t kShared = 7300;
  for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
    const UniqueFd server(socket(AF_INET, type | SOCK_CLOEXEC, 0));
    const int on = 1;
    ASSERT_EQ(setsockopt(server.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(kShared);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(bind(server.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    if (type == SOCK_STREAM) {
      ASSERT_EQ(listen(server.get(), 1), 0);
    }
    const std::vector<std::string> share = {
        type == SOCK_STREAM ? "tcp-share-port" : "udp-share-port", "127.0.0.1",
        std::to_string(kShared)};
    EXPECT_EQ(ProbeBare(share).Summary(), "allowed none");
    const std::string may_connect =
        "permit (principal, action in [Palyra::Action::\"net.connect\", "
        "Palyra::Action::\"net.send\", Palyra::Action::\"net.accept\", "
        "Palyra::Action::\"net.listen\"], resource);\n";
    const ProbeResult probe = InRun(may_connect, share, "0");
    EXPECT_EQ(probe.Summary(), "denied EPERM") << probe;
    ExpectAudit(probe, "net.bind", type == SOCK_STREAM ? "tcp" : "udp", "127.0.0.1", kShared,
                "caller", "");
  }
}

TEST_F(EgressSockets, NobodysNetworkNamespaceCanBeEntered) {
  const std::string pid = std::to_string(getpid());
  EXPECT_EQ(ProbeBare({"netns-enter", pid}).Summary(), "allowed none");
  for (const char* user : kUsers) {
    for (const std::string& whose : {pid, std::string("1"), std::string("self")}) {
      const ProbeResult probe = InRun(kPermitAll, {"netns-enter", whose}, user);
      EXPECT_EQ(probe.verdict, "denied") << probe;
    }
  }
}

// HTTP/3 goes over UDP to the same port.
TEST_F(EgressSockets, APermitForTcpIsNoneForUdpAtTheSamePort) {
  const std::string policy =
      PermitWhen("resource.protocol == \"tcp\" && resource.port == 443 && (" +
                 AddressIsOneOf({kDeniedV4, kDeniedV6}) + ")");
  for (const Family family : {Family::kV4, Family::kV6}) {
    const std::string host = DeniedHost(family);
    Observer().Start();
    EXPECT_EQ(InRun(policy, {"tcp-connect", host, "443"}).Summary(), "other ECONNREFUSED");
    EXPECT_GT(Observer().PacketsFor(host), 0U) << "the control did not arrive";
    for (const std::string verb : {"udp-sendto", "udp-connect-send"}) {
      Observer().Start();
      EXPECT_EQ(InRun(policy, {verb, host, "443"}).Summary(), "denied EPERM");
      ExpectUntouched(host);
    }
  }
}

}  // namespace
}  // namespace palyra::tests
