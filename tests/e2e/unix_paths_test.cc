// Paths that lead elsewhere than they say: every way that we know to reach another socket than the
// one that is permitted. Each has its control bare, outside any run, and a server that saw nothing.

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/e2e/unix_fixture.h"
#include "tests/support/palyra_run.h"

namespace palyra::tests {
namespace {

namespace fs = std::filesystem;

class UnixPaths : public UnixSockets {
 protected:
  // Of a probe that leads to either, again and again; by address it knows neither.
  static void ExpectPermittedAlone(const UnixServer& permitted, const UnixServer& secret,
                                   const std::vector<std::string>& arguments) {
    ASSERT_EQ(ProbeBare(arguments).verdict, "allowed");
    const int control = secret.Heard();
    ASSERT_GT(control, 0);
    const int before = permitted.Heard();
    const ProbeResult probe = InRun({permitted.name()}, arguments);
    EXPECT_EQ(secret.Heard(), control) << probe;
    EXPECT_EQ(permitted.Heard() > before, IsJudgedByPeer()) << probe;
  }
};

TEST_F(UnixPaths, ARelativePathIsNoWayRound) {
  const UnixServer server(Outside("a.sock"), SOCK_STREAM);
  const std::vector<std::string> arguments = {"unix-connect-relative", outside_.path(), "a.sock"};
  ExpectDenied(server, {}, arguments, IsJudgedByPeer() ? server.name() : "a.sock");
  if (IsJudgedByPeer()) {
    ExpectAllowed(server, {server.name()}, arguments);
  } else {
    ExpectDenied(server, {server.name()}, arguments, "a.sock");
  }
}

TEST_F(UnixPaths, ALinkIsNoWayRound) {
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
TEST_F(UnixPaths, ASwappedPathLeadsNowhereElse) {
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
TEST_F(UnixPaths, AHardLinkIsNoWayRound) {
  const UnixServer secret(Outside("secret.sock"), SOCK_STREAM);
  fs::create_hard_link(secret.name(), Own("own.sock"));
  ExpectDenied(secret, {Own("own.sock")}, {"unix-connect", "stream", Own("own.sock")}, "");
}

TEST_F(UnixPaths, APermitThroughALinkIsRefusedOrHoldsNothing) {
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

TEST_F(UnixPaths, APatternIsExactOrRefused) {
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

TEST_F(UnixPaths, OtherSpellingsAreNoWayRound) {
  const UnixServer server(Outside("a.sock"), SOCK_STREAM);
  for (const std::string& spelling :
       {Own("../a.sock"), outside_.path() + "//a.sock", outside_.path() + "/./a.sock"}) {
    ExpectDenied(server, {}, {"unix-connect", "stream", spelling},
                 IsJudgedByPeer() ? server.name() : spelling);
  }
}

TEST_F(UnixPaths, ADescriptorIsNoWayRound) {
  const UnixServer server(Outside("a.sock"), SOCK_STREAM);
  const UnixServer permitted(Outside("b.sock"), SOCK_STREAM);
  ExpectDenied(server, {permitted.name()}, {"unix-connect-descriptor", server.name()},
               IsJudgedByPeer() ? server.name() : "");
  ExpectDenied(server, {permitted.name()},
               {"unix-connect-below-descriptor", outside_.path(), "a.sock"},
               IsJudgedByPeer() ? server.name() : "");
}

// Whoever asks twice may be given another answer.
TEST_F(UnixPaths, ARacedDirectoryIsNoWayRound) {
  fs::create_directory(Outside("one"));
  fs::create_directory(Outside("two"));
  const UnixServer permitted(Outside("one/a.sock"), SOCK_STREAM);
  const UnixServer secret(Outside("two/a.sock"), SOCK_STREAM);
  const std::vector<std::string> arguments = {"unix-race-directory", Outside("one"), Outside("two"),
                                              "a.sock"};
  ExpectPermittedAlone(permitted, secret, arguments);
}

TEST_F(UnixPaths, ARacedLinkIsNoWayRound) {
  const UnixServer permitted(Outside("a.sock"), SOCK_STREAM);
  const UnixServer secret(Outside("b.sock"), SOCK_STREAM);
  const std::vector<std::string> arguments = {"unix-race-link", Own("link"), permitted.name(),
                                              secret.name()};
  ExpectPermittedAlone(permitted, secret, arguments);
}

// The run may rename in its workspace, and another server has a socket there.
TEST_F(UnixPaths, ASocketThatIsRenamedIsNotReached) {
  const UnixServer secret(Own("secret.sock"), SOCK_STREAM);
  const std::string permitted = Own("own.sock");
  ExpectDenied(secret, {permitted}, {"unix-connect-moved", secret.name(), permitted, permitted},
               permitted);
  EXPECT_TRUE(fs::exists(secret.name()));
  // Nor for the next run, whose rules may be others.
  const int heard = secret.Heard();
  const ProbeResult moved = InRun({}, {"unix-connect-moved", secret.name(), permitted, permitted});
  EXPECT_EQ(moved.verdict, "denied") << moved;
  if (!IsJudgedByPeer()) fs::rename(secret.name(), permitted);
  const ProbeResult next = InRun({permitted}, {"unix-connect", "stream", permitted});
  EXPECT_NE(next.verdict, "allowed") << next;
  EXPECT_EQ(secret.Heard(), heard);
}

TEST_F(UnixPaths, ASocketThatIsExchangedIsNotReached) {
  const UnixServer secret(Own("secret.sock"), SOCK_STREAM);
  const UnixServer permitted(Own("own.sock"), SOCK_STREAM);
  for (const auto& [from, to] :
       {std::pair(secret.name(), permitted.name()), std::pair(permitted.name(), secret.name())}) {
    const std::vector<std::string> arguments = {"unix-connect-exchanged", from, to,
                                                permitted.name()};
    const int before = secret.Heard();
    ASSERT_EQ(ProbeBare(arguments).verdict, "allowed");
    const int control = secret.Heard();
    ASSERT_EQ(control, before + 1);
    const ProbeResult probe = InRun({permitted.name()}, arguments);
    EXPECT_EQ(secret.Heard(), control) << probe;
    // By address the path means what lay there as the run began.
    EXPECT_EQ(probe.Summary(), IsJudgedByPeer() ? "denied EACCES" : "allowed none") << probe;
  }
}

TEST_F(UnixPaths, ASocketInADirectoryThatIsRenamedIsNotReached) {
  MakeOwnDirectory(Own("closed"));
  const UnixServer secret(Own("closed/a.sock"), SOCK_STREAM);
  const std::string permitted = Own("open/a.sock");
  const std::vector<std::string> arguments = {"unix-connect-moved", Own("closed"), Own("open"),
                                              permitted};
  ASSERT_EQ(ProbeBare(arguments).verdict, "allowed");
  const int control = secret.Heard();
  ASSERT_EQ(control, 1);
  const ProbeResult probe = InRun({permitted}, arguments);
  EXPECT_EQ(secret.Heard(), control) << probe;
  EXPECT_EQ(probe.Summary(), IsJudgedByPeer() ? "other EXDEV" : "denied EPERM") << probe;
}

TEST_F(UnixPaths, OtherRenamesGoOn) {
  const Ended ended = PalyraRun()
                          .Option("--allow-unix", Outside("b.sock"))
                          .Run({"sh", "-c",
                                "cd " + workspace_ +
                                    " && mkdir one && mv one two && touch x && mv x y && "
                                    "mv two $(printf '\\377') && rmdir $(printf '\\377') && rm y"});
  EXPECT_EQ(ended.status, 0) << Describe(ended);
}

// The run owns the secret socket, or the kernel would not let it make the link.
TEST_F(UnixPaths, AHardLinkOfTheRunIsNoWayRound) {
  const UnixServer secret(Own("secret.sock"), SOCK_STREAM);
  ASSERT_EQ(chown(secret.name().c_str(), kToolUid, kToolUid), 0);
  ExpectDenied(secret, {Own("own.sock")},
               {"unix-connect-hard-linked", secret.name(), Own("own.sock")}, "");
}

// What the machine's administrator mounts in two places is one socket with one name.
TEST_F(UnixPaths, ABindMountIsNoWayRound) {
  const UnixServer server(Outside("a.sock"), SOCK_STREAM);
  SpawnOptions options;
  fs::create_directory(Own("d"));
  const std::string place = Own("d");
  const std::string from = outside_.path();
  options.in_child = [&] {
    return unshare(CLONE_NEWNS) != 0 ||
                   mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
                   mount(from.c_str(), place.c_str(), nullptr, MS_BIND, nullptr) != 0
               ? 99
               : 0;
  };
  const ProbeResult probe = PalyraRun()
                                .Option("--allow-unix", Outside("b.sock"))
                                .Probe({"unix-connect", "stream", place + "/a.sock"}, options);
  EXPECT_EQ(probe.verdict, "denied") << probe;
  EXPECT_EQ(server.Heard(), 0);
}

}  // namespace
}  // namespace palyra::tests
