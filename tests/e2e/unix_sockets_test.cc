// To which unix sockets a run may connect and send, and every way round that.
//
// Each denial has its control bare, outside any run, and a server that saw nothing.

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "tests/e2e/policies.h"
#include "tests/support/palyra_run.h"
#include "tests/support/require_feature.h"
#include "tests/support/temp_dir.h"

namespace palyra::tests {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kToolUid = 1000;

// Counts connections and datagrams. Everybody may connect.
class UnixServer {
 public:
  UnixServer(std::string name, int type) : name_(std::move(name)), type_(type) {
    sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
    std::memcpy(address.sun_path, name_.data(), name_.size());
    const bool is_abstract = name_[0] == '@';
    if (is_abstract) address.sun_path[0] = '\0';
    const size_t length =
        offsetof(sockaddr_un, sun_path) + name_.size() + (is_abstract ? size_t{0} : 1);
    fd_.Reset(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address),
                   static_cast<socklen_t>(length)),
              0)
        << name_ << ": " << strerror(errno);
    if (!is_abstract) chmod(name_.c_str(), 0777);
    if (type != SOCK_DGRAM) {
      EXPECT_EQ(listen(fd_.get(), 16), 0);
    }
    thread_ = std::thread([this] { Serve(); });
  }
  UnixServer(const UnixServer&) = delete;
  UnixServer& operator=(const UnixServer&) = delete;
  ~UnixServer() {
    stop_ = true;
    thread_.join();
    if (name_[0] != '@') unlink(name_.c_str());
  }

  [[nodiscard]] const std::string& name() const { return name_; }

  // All that came until now.
  [[nodiscard]] int Heard() const {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    return heard_;
  }

 private:
  void Serve() {
    while (!stop_) {
      pollfd ready = {.fd = fd_.get(), .events = POLLIN, .revents = 0};
      if (poll(&ready, 1, 5) != 1) continue;
      if (type_ == SOCK_DGRAM) {
        char byte = 0;
        if (recv(fd_.get(), &byte, 1, 0) >= 0) ++heard_;
      } else {
        const UniqueFd client(accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!client.valid()) continue;
        ++heard_;
        // Else what it sends meets a closed socket.
        const timeval limit = {.tv_sec = 1, .tv_usec = 0};
        setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        char byte = 0;
        (void)!recv(client.get(), &byte, 1, 0);
      }
    }
  }

  std::string name_;
  int type_;
  UniqueFd fd_;
  std::atomic<bool> stop_ = false;
  std::atomic<int> heard_ = 0;
  std::thread thread_;
};

int TypeOf(const std::string& name) {
  if (name == "dgram") return SOCK_DGRAM;
  return name == "seqpacket" ? SOCK_SEQPACKET : SOCK_STREAM;
}

class UnixSockets : public testing::Test {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(Root());
    workspace_ = outside_.Path("ws");
    fs::create_directory(workspace_);
    ASSERT_EQ(chown(workspace_.c_str(), kToolUid, kToolUid), 0);
  }

  // Programs judge the socket that is reached, and not the path that is written.
  static bool IsJudgedByPeer() {
    static const bool kByPeer = PalyraRun()
                                    .Option("--report")
                                    .Run({"/bin/true"})
                                    .error_output.find("unix_stream_connect") != std::string::npos;
    return kByPeer;
  }

  [[nodiscard]] std::string Outside(const std::string& name) const { return outside_.Path(name); }
  [[nodiscard]] std::string Own(const std::string& name) const { return workspace_ + '/' + name; }

  static ProbeResult InRun(const std::vector<std::string>& permitted,
                           const std::vector<std::string>& arguments) {
    PalyraRun run;
    for (const std::string& name : permitted) run.Option("--allow-unix", name);
    return run.Probe(arguments);
  }

  // Bare it is heard; in a run that may use `permitted` it is denied, and not heard; the log says
  // so of `told`, unless that is empty.
  static void ExpectDenied(const UnixServer& server, const std::vector<std::string>& permitted,
                           const std::vector<std::string>& arguments, const std::string& told) {
    const int before = server.Heard();
    const ProbeResult bare = ProbeBare(arguments);
    EXPECT_EQ(bare.verdict, "allowed") << bare;
    const int control = server.Heard();
    EXPECT_EQ(control, before + 1) << "the control did not arrive";
    const ProbeResult denied = InRun(permitted, arguments);
    EXPECT_EQ(denied.verdict, "denied") << denied;
    EXPECT_EQ(denied.error, IsJudgedByPeer() ? "EACCES" : "EPERM") << denied;
    EXPECT_EQ(server.Heard(), control) << denied;
    ASSERT_FALSE(denied.audit.empty()) << denied;
    EXPECT_EQ(denied.audit.front().action, "unix.connect") << denied;
    if (!told.empty()) {
      EXPECT_EQ(denied.audit.front().path, told) << denied;
    }
  }

  static void ExpectAllowed(const UnixServer& server, const std::vector<std::string>& permitted,
                            const std::vector<std::string>& arguments) {
    const int before = server.Heard();
    const ProbeResult allowed = InRun(permitted, arguments);
    EXPECT_EQ(allowed.verdict, "allowed") << allowed;
    EXPECT_EQ(server.Heard(), before + 1) << allowed;
    EXPECT_TRUE(allowed.audit.empty()) << allowed;
  }

  TempDir outside_;
  std::string workspace_;
};

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

TEST_F(UnixSockets, ARelativePathIsNoWayRound) {
  const UnixServer server(Outside("a.sock"), SOCK_STREAM);
  const std::vector<std::string> arguments = {"unix-connect-relative", outside_.path(), "a.sock"};
  ExpectDenied(server, {}, arguments, IsJudgedByPeer() ? server.name() : "a.sock");
  if (IsJudgedByPeer()) {
    ExpectAllowed(server, {server.name()}, arguments);
  } else {
    ExpectDenied(server, {server.name()}, arguments, "a.sock");
  }
}

TEST_F(UnixSockets, ALinkIsNoWayRound) {
  const UnixServer server(Outside("a.sock"), SOCK_STREAM);
  const UnixServer permitted(Outside("b.sock"), SOCK_STREAM);
  const std::string told = IsJudgedByPeer() ? server.name() : Own("link");
  ExpectDenied(server, {permitted.name()}, {"unix-connect-linked", Own("link"), server.name()},
               told);
  ExpectDenied(server, {permitted.name()},
               {"unix-connect-below-link", Own("link"), outside_.path(), "a.sock"},
               IsJudgedByPeer() ? server.name() : Own("link/a.sock"));
}

// The permitted socket lies where the run may rename: the path then leads to another one.
TEST_F(UnixSockets, ASwappedPathLeadsNowhereElse) {
  const UnixServer secret(Outside("secret.sock"), SOCK_STREAM);
  const UnixServer permitted(Own("own.sock"), SOCK_STREAM);
  const std::vector<std::string> arguments = {"unix-connect-swapped", permitted.name(),
                                              secret.name()};
  ASSERT_EQ(ProbeBare(arguments).verdict, "allowed");
  const int control = secret.Heard();
  ASSERT_EQ(control, 1);
  const ProbeResult probe = InRun({permitted.name()}, arguments);
  EXPECT_EQ(secret.Heard(), control) << probe;
  // By address the path means what lay there as the run began.
  EXPECT_EQ(probe.verdict, IsJudgedByPeer() ? "denied" : "allowed") << probe;
  EXPECT_EQ(permitted.Heard(), IsJudgedByPeer() ? 0 : 1);
}

// The inode is the secret one, by another name.
TEST_F(UnixSockets, AHardLinkIsNoWayRound) {
  const UnixServer secret(Outside("secret.sock"), SOCK_STREAM);
  fs::create_hard_link(secret.name(), Own("own.sock"));
  ExpectDenied(secret, {Own("own.sock")}, {"unix-connect", "stream", Own("own.sock")}, "");
}

TEST_F(UnixSockets, APermitThroughALinkIsRefusedOrHoldsNothing) {
  const UnixServer server(Outside("a.sock"), SOCK_STREAM);
  fs::create_symlink(server.name(), Own("link"));
  const ProbeResult probe = InRun({Own("link")}, {"unix-connect", "stream", Own("link")});
  EXPECT_EQ(server.Heard(), 0) << probe;
  if (IsJudgedByPeer()) {
    EXPECT_EQ(probe.Summary(), "denied EACCES") << probe;
  } else {
    EXPECT_EQ(probe.exit_status, 126) << probe;
    EXPECT_NE(probe.raw.find("UNIX-SYMLINK"), std::string::npos) << probe;
    EXPECT_NE(probe.raw.find("write \"" + server.name() + '"'), std::string::npos) << probe;
  }
}

TEST_F(UnixSockets, APatternIsExactOrRefused) {
  const UnixServer server(Outside("a.sock"), SOCK_STREAM);
  const UnixServer other(Outside("b.other"), SOCK_STREAM);
  const std::string policy =
      "permit (principal, action == Palyra::Action::\"unix.connect\", resource) when { "
      "!resource.abstract && resource.path like \"" +
      outside_.path() + "/*.sock\" };\n";
  const ProbeResult probe =
      PalyraRun().Policy(policy).Probe({"unix-connect", "stream", server.name()});
  if (!IsJudgedByPeer()) {
    EXPECT_EQ(probe.exit_status, 126) << probe;
    EXPECT_NE(probe.raw.find("UNIX-PATTERN"), std::string::npos) << probe;
    EXPECT_EQ(server.Heard(), 0);
    return;
  }
  EXPECT_EQ(probe.verdict, "allowed") << probe;
  EXPECT_EQ(PalyraRun().Policy(policy).Probe({"unix-connect", "stream", other.name()}).verdict,
            "denied");
  EXPECT_EQ(other.Heard(), 0);
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
