// To which unix sockets a run may connect and send, and every way round that.
//
// Each denial has its control bare, outside any run, and a server that saw nothing.

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "tests/e2e/giver.h"
#include "tests/e2e/policies.h"
#include "tests/e2e/unix_fixture.h"
#include "tests/support/palyra_run.h"

namespace palyra::tests {
namespace {

namespace fs = std::filesystem;

int TypeOf(const std::string& name) {
  if (name == "dgram") return SOCK_DGRAM;
  return name == "seqpacket" ? SOCK_SEQPACKET : SOCK_STREAM;
}

struct Way {
  const char* name;
  const char* type;
  std::vector<std::string> verb;  // The name of the socket follows.
};

void PrintTo(const Way& way, std::ostream* stream) { *stream << way.name; }

class UnixWays : public UnixSockets, public testing::WithParamInterface<Way> {
 protected:
  static std::vector<std::string> To(const std::string& name) {
    std::vector<std::string> arguments = GetParam().verb;
    arguments.push_back(name);
    return arguments;
  }
};

TEST_P(UnixWays, ByPathIsHeld) {
  const UnixServer server(Outside("a.sock"), TypeOf(GetParam().type));
  const UnixServer other(Outside("b.sock"), TypeOf(GetParam().type));
  ExpectDenied(server, {}, To(server.name()), server.name());
  ExpectDenied(server, {other.name()}, To(server.name()), server.name());
  ExpectAllowed(server, {server.name()}, To(server.name()));
  EXPECT_EQ(other.Heard(), 0);
}

TEST_P(UnixWays, ByAbstractNameIsHeld) {
  const std::string name = "@palyra-test-" + std::to_string(getpid());
  const UnixServer server(name, TypeOf(GetParam().type));
  ExpectDenied(server, {}, To(name), name);
  ExpectDenied(server, {name + "x", Outside("b.sock")}, To(name), name);
  ExpectAllowed(server, {name}, To(name));
}

INSTANTIATE_TEST_SUITE_P(
    All, UnixWays,
    testing::Values(Way{"Stream", "stream", {"unix-connect", "stream"}},
                    Way{"Seqpacket", "seqpacket", {"unix-connect", "seqpacket"}},
                    Way{"Datagram", "dgram", {"unix-connect", "dgram"}},
                    Way{"SendTo", "dgram", {"unix-sendto"}},
                    Way{"SendMsgWithDescriptor", "dgram", {"unix-sendmsg"}},
                    Way{"SendMmsg", "dgram", {"unix-sendmmsg"}}),
    [](const testing::TestParamInfo<Way>& way) { return std::string(way.param.name); });

TEST_F(UnixSockets, AConnectedSocketSendsNowhereElse) {
  const UnixServer secret(Outside("a.sock"), SOCK_DGRAM);
  const UnixServer permitted(Outside("b.sock"), SOCK_DGRAM);
  ExpectDenied(secret, {permitted.name()}, {"unix-send-elsewhere", permitted.name(), secret.name()},
               secret.name());
}

TEST_F(UnixSockets, APairSendsNowhereElse) {
  const UnixServer server(Outside("a.sock"), SOCK_DGRAM);
  ExpectDenied(server, {}, {"unix-pair-sendto", server.name()}, server.name());
  ExpectAllowed(server, {server.name()}, {"unix-pair-sendto", server.name()});
}

// Names that differ only behind a NUL differ. No policy can speak of them.
TEST_F(UnixSockets, AnAbstractNameWithNulIsNobodysElse) {
  const std::string name = "@palyra-test-nul-" + std::to_string(getpid());
  const UnixServer plain(name, SOCK_STREAM);
  for (const std::string& other : {name + "#", name + "#x", "@#" + name.substr(1)}) {
    const UnixServer server(other, SOCK_STREAM);
    ExpectDenied(server, {name}, {"unix-connect", "stream", other}, "");
    const ProbeResult all = PalyraRun().Policy(kPermitAll).Probe({"unix-connect", "stream", other});
    EXPECT_EQ(all.verdict, "denied") << all;
  }
  EXPECT_EQ(plain.Heard(), 0);
}

// A socket of somebody else's as a standard stream.
TEST_F(UnixSockets, AStreamThatReachesOthersIsRefused) {
  const UnixServer server(Outside("a.sock"), SOCK_DGRAM);
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
  const UniqueFd first(ends[0]);
  const UniqueFd second(ends[1]);
  const UniqueFd lone(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  for (const int fd : {first.get(), lone.get()}) {
    SpawnOptions options;
    options.in_child = [fd] { return dup2(fd, STDIN_FILENO) == STDIN_FILENO ? 0 : 99; };
    const int before = server.Heard();
    const std::vector<std::string> probe = {BinaryPath("palyra_probe"), "unix-input-sendto",
                                            server.name()};
    EXPECT_EQ(RunProgram(probe, options).status, 0);
    const int control = server.Heard();
    EXPECT_EQ(control, before + 1);
    const Ended ended = PalyraRun().Run(probe, options);
    EXPECT_EQ(ended.status, 126) << Describe(ended);
    EXPECT_EQ(server.Heard(), control);
  }
}

// Offline is about the network; it permits no socket that the policies do not.
TEST_F(UnixSockets, OfflineTheyAreHeldAsEver) {
  const UnixServer server(Outside("a.sock"), SOCK_STREAM);
  const std::vector<std::string> arguments = {"unix-connect", "stream", server.name()};
  PalyraRun closed;
  EXPECT_EQ(closed.Option("--egress", "none").Probe(arguments).verdict, "denied");
  EXPECT_EQ(server.Heard(), 0);
  PalyraRun open;
  open.Option("--egress", "none").Option("--allow-unix", server.name());
  EXPECT_EQ(open.Probe(arguments).verdict, "allowed");
  EXPECT_EQ(server.Heard(), 1);
  EXPECT_EQ(open.Probe({"tcp-connect", "127.0.0.1", "1"}).verdict, "denied");
}

// Where BPF LSM is not there, io_uring is not there either.
TEST_F(UnixSockets, ByIoUringIsHeld) {
  const UnixServer server(Outside("a.sock"), SOCK_STREAM);
  ASSERT_EQ(ProbeBare({"unix-ring-connect", server.name()}).verdict, "allowed");
  const int control = server.Heard();
  const ProbeResult denied = InRun({}, {"unix-ring-connect", server.name()});
  EXPECT_EQ(denied.Summary(), IsJudgedByPeer() ? "denied EACCES" : "denied ENOSYS") << denied;
  EXPECT_EQ(server.Heard(), control);
  if (!IsJudgedByPeer()) return;
  ExpectAllowed(server, {server.name()}, {"unix-ring-connect", server.name()});
}

TEST_F(UnixSockets, WhatPermitsEverythingPermitsTheseToo) {
  const UnixServer server(Outside("a.sock"), SOCK_STREAM);
  const UnixServer abstract("@palyra-test-all-" + std::to_string(getpid()), SOCK_STREAM);
  for (const auto& arguments : {std::vector<std::string>{"unix-connect", "stream", server.name()},
                                {"unix-connect", "stream", abstract.name()},
                                {"unix-connect-relative", outside_.path(), "a.sock"},
                                {"unix-connect-linked", Own("link"), server.name()}}) {
    const ProbeResult probe = PalyraRun().Policy(kPermitAll).Probe(arguments);
    EXPECT_EQ(probe.verdict, "allowed") << probe;
  }
  EXPECT_EQ(server.Heard(), 3);
}

// Nobody gives back what the mandatory layer forbids.
TEST_F(UnixSockets, PalyrasOwnAreDeniedWhateverIsPermitted) {
  fs::create_directories("/run/palyra");
  const UnixServer own("/run/palyra/test-" + std::to_string(getpid()), SOCK_STREAM);
  const std::string user = "0";
  const std::vector<std::string> direct = {"unix-connect", "stream", own.name()};
  ASSERT_EQ(ProbeBare(direct).verdict, "allowed");
  const int control = own.Heard();
  for (const auto& arguments :
       {direct, std::vector<std::string>{"unix-connect-linked", Own("link"), own.name()}}) {
    const ProbeResult probe = PalyraRun().Policy(kPermitAll).User(user).Probe(arguments);
    EXPECT_NE(probe.verdict, "allowed") << probe;
  }
  EXPECT_EQ(own.Heard(), control);
}

// With BPF LSM a run may speak with itself; elsewhere such a peer is like any other.
TEST_F(UnixSockets, PeersOfTheSameRun) {
  const std::string name = "@palyra-test-own-" + std::to_string(getpid());
  for (const std::string& server : {name, Own("server.sock")}) {
    const ProbeResult probe = InRun({}, {"unix-own-server", server});
    EXPECT_EQ(probe.verdict, IsJudgedByPeer() ? "allowed" : "denied") << probe;
  }
  EXPECT_EQ(InRun({name}, {"unix-own-server", name}).verdict, "allowed");
  EXPECT_EQ(InRun({}, {"unix-socketpair"}).verdict, "allowed");
}

// The socket was born outside, and no program of the run's cgroup sees its packets.
TEST_F(UnixSockets, ANetworkSocketThatAPermittedServerSendsIsNotReceived) {
  const UniqueFd listener(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const UniqueFd given(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* place = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(bind(listener.get(), place, size), 0);
  ASSERT_EQ(getsockname(listener.get(), place, &size), 0);
  ASSERT_EQ(connect(given.get(), place, size), 0);
  const auto heard = [&listener] {
    std::array<char, 64> bytes;
    return recv(listener.get(), bytes.data(), bytes.size(), MSG_DONTWAIT) > 0;
  };
  const Giver giver(Outside("giver.sock"), given.get());
  const std::vector<std::string> arguments = {"unix-receive", Outside("giver.sock")};
  EXPECT_EQ(ProbeBare(arguments).verdict, "allowed");
  EXPECT_TRUE(heard());

  const ProbeResult probe = InRun({Outside("giver.sock")}, arguments);
  EXPECT_EQ(probe.Summary(), IsJudgedByPeer() ? "denied EACCES" : "allowed none") << probe;
  EXPECT_EQ(heard(), !IsJudgedByPeer()) << "held with BPF LSM alone; docs/bypasses.md says so";
  if (!IsJudgedByPeer()) return;
  ASSERT_EQ(probe.audit.size(), 1U);
  EXPECT_EQ(probe.audit[0].action, "socket.receive");
  EXPECT_EQ(probe.audit[0].protocol, "udp");
}

// A pipe, a file, or a unix socket is not the network's.
TEST_F(UnixSockets, OtherDescriptorsAreReceived) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const UniqueFd first(ends[0]);
  const UniqueFd second(ends[1]);
  const Giver giver(Outside("giver.sock"), second.get());
  const ProbeResult probe = InRun({Outside("giver.sock")}, {"unix-receive", Outside("giver.sock")});
  EXPECT_EQ(probe.verdict, "allowed") << probe;
}

// The path of the directory is not enough: the user must be able to get there.
TEST_F(UnixSockets, PermissionsOfDirectoriesHold) {
  const std::string closed = Outside("closed");
  fs::create_directory(closed);
  chmod(closed.c_str(), 0700);
  const UnixServer server(closed + "/a.sock", SOCK_STREAM);
  const ProbeResult probe = InRun({server.name()}, {"unix-connect", "stream", server.name()});
  EXPECT_NE(probe.verdict, "allowed") << probe;
  EXPECT_EQ(server.Heard(), 0);
}

TEST_F(UnixSockets, ADenialIsToldWithTheWayOut) {
  const UnixServer server(Outside("a.sock"), SOCK_STREAM);
  const ProbeResult denied = InRun({}, {"unix-connect", "stream", server.name()});
  EXPECT_NE(denied.raw.find("unix.connect " + server.name()), std::string::npos) << denied;
  EXPECT_NE(denied.raw.find("--allow-unix " + server.name()), std::string::npos) << denied;
}

TEST_F(UnixSockets, WhatIsAllowedIsRecordedWhereAskedFor) {
  const std::string abstract = "@palyra-test-" + std::to_string(getpid());
  for (const std::string& name : {Outside("a.sock"), abstract}) {
    const UnixServer server(name, SOCK_STREAM);
    const auto recorded = [&name](const std::string& which) {
      PalyraRun run;
      run.User(std::to_string(kToolUid)).Option("--allow-unix", name);
      run.Option("--audit-allows", which);
      const ProbeResult probe = run.Probe({"unix-connect", "stream", name});
      EXPECT_EQ(probe.verdict, "allowed") << probe;
      return ReadText(run.AuditPath());
    };
    const std::string all = recorded("all");
    EXPECT_NE(all.find(R"("verdict":"allow","action":"unix.connect","path":")" + name),
              std::string::npos)
        << all;
    EXPECT_NE(all.find("--allow-unix " + name), std::string::npos) << all;
    EXPECT_EQ(recorded("none").find(R"("verdict":"allow")"), std::string::npos);
  }
}

// Where well-known servers listen, or by which kind of name.
TEST_F(UnixSockets, WellKnownServers) {
  std::vector<std::string> names;
  for (const std::string directory : {"run/user/1000/gnupg", "tmp/.X11-unix", "tmp/ssh-XXXX"}) {
    fs::create_directories(Outside(directory));
  }
  for (const std::string name :
       {"run/docker.sock", "tmp/ssh-XXXX/agent.42", "run/user/1000/gnupg/S.gpg-agent",
        "run/user/1000/bus", "tmp/.X11-unix/X99", "run/user/1000/wayland-0"}) {
    names.push_back(Outside(name));
  }
  names.push_back("@/tmp/.X11-unix/X99-" + std::to_string(getpid()));
  names.push_back("@/tmp/dbus-" + std::to_string(getpid()));
  for (const std::string& name : names) {
    const UnixServer server(name, SOCK_STREAM);
    ExpectDenied(server, {}, {"unix-connect", "stream", name}, name);
    ExpectAllowed(server, {name}, {"unix-connect", "stream", name});
  }
}

}  // namespace
}  // namespace palyra::tests
