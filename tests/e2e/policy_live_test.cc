// `palyra policy` on a run that is alive: its tables are read back, and replaced.

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

#include "tests/e2e/unix_fixture.h"
#include "tests/support/palyra_run.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace palyra::tests {
namespace {

std::string PermitPort(int port) {
  return "permit (principal, action == Palyra::Action::\"net.connect\", resource) when { "
         "resource.port == " +
         std::to_string(port) + " };";
}

class PolicyLive : public testing::Test {
 protected:
  Ended Policy(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {BinaryPath("palyra"), "policy"});
    SpawnOptions options;
    options.directory = files_.path();
    return RunProgram(arguments, options);
  }

  // A run under first.cedar, which says "ready".
  [[nodiscard]] std::vector<std::string> UnderFirst(const std::string& egress = "strict") const {
    return {BinaryPath("palyra-run"),
            "--user",
            std::string(kToolUser),
            "--egress",
            egress,
            "--policy",
            first_,
            "--",
            "/bin/sh",
            "-c",
            "echo ready; sleep 60"};
  }

  // "run ID profile …" is the first line.
  [[nodiscard]] std::string OnlyRun() const {
    const std::string text = Policy({"dump", "--live"}).output;
    const size_t start = text.find(' ') + 1;
    return text.substr(start, text.find(' ', start) - start);
  }

  TempDir files_;
  std::string first_ = files_.Write("first.cedar", PermitPort(443));
  std::string second_ = files_.Write("second.cedar", PermitPort(80));
};

TEST_F(PolicyLive, TablesAreReadBackAndReplaced) {
  Subprocess run(UnderFirst());
  ASSERT_TRUE(run.WaitForOutput("ready"));
  const Ended same = Policy({"dump", "--live", "first.cedar"});
  EXPECT_EQ(same.status, 0) << Describe(same);
  EXPECT_TRUE(same.output.contains("exactly the tables")) << Describe(same);
  EXPECT_EQ(Policy({"dump", "--live", "second.cedar"}).status, 1);

  const Ended applied = Policy({"apply", "--run", OnlyRun(), "second.cedar"});
  EXPECT_EQ(applied.status, 0) << Describe(applied);
  EXPECT_EQ(Policy({"dump", "--live", "first.cedar"}).status, 1);
  EXPECT_EQ(Policy({"dump", "--live", "second.cedar"}).status, 0);
  run.Signal(SIGTERM);
  (void)run.Wait();
}

TEST_F(PolicyLive, ModesThatNarrowCannotBeWidened) {
  for (const char* egress : {"none", "preflight"}) {
    Subprocess run(UnderFirst(egress));
    ASSERT_TRUE(run.WaitForOutput("ready"));
    const Ended applied = Policy({"apply", "--run", OnlyRun(), "second.cedar"});
    EXPECT_NE(applied.status, 0) << egress << Describe(applied);
    EXPECT_EQ(Policy({"dump", "--live", "second.cedar"}).status, 1);
    run.Signal(SIGTERM);
    (void)run.Wait();
  }
}

// Where addresses are judged, it has its sockets since it began: they can be taken and given back.
TEST_F(PolicyLive, UnixSocketsAreTakenAndGivenBack) {
  const TempDir place;
  chmod(place.path().c_str(), 0755);
  const UnixServer server(place.Path("a.sock"), SOCK_STREAM);
  const std::string permits = files_.Write(
      "permits.cedar",
      "permit (principal, action == Palyra::Action::\"unix.connect\", resource) when { "
      "!resource.abstract && resource.path == \"" +
          server.name() + "\" };");
  Subprocess run({BinaryPath("palyra-run"), "--user", std::string(kToolUser), "--policy", permits,
                  "--", "/bin/sh", "-c",
                  "while :; do " + BinaryPath("palyra_probe") + " unix-connect stream " +
                      server.name() + " >/dev/null; sleep 0.1; done"},
                 {});
  ASSERT_TRUE(Eventually([&] { return server.Heard() > 0; }));
  EXPECT_EQ(Policy({"apply", "--run", OnlyRun(), "first.cedar"}).status, 0);
  const int heard = server.Heard();
  sleep(1);
  EXPECT_EQ(server.Heard(), heard);
  EXPECT_EQ(Policy({"apply", "--run", OnlyRun(), permits}).status, 0);
  EXPECT_TRUE(Eventually([&] { return server.Heard() > heard; }));
  run.Signal(SIGTERM);
  (void)run.Wait();
}

TEST_F(PolicyLive, WhatCannotBeCompiledChangesNothing) {
  Subprocess run(UnderFirst());
  ASSERT_TRUE(run.WaitForOutput("ready"));
  const std::string bad = files_.Write("bad.cedar", PermitPort(80) + "permit (");
  EXPECT_EQ(Policy({"apply", "--run", OnlyRun(), bad}).status, 1);
  EXPECT_EQ(Policy({"apply", "--run", "nosuchrun", "second.cedar"}).status, 2);
  EXPECT_EQ(Policy({"dump", "--live", "first.cedar"}).status, 0);
  run.Signal(SIGTERM);
  (void)run.Wait();
}

TEST_F(PolicyLive, TheKernelAgreesWithThePolicies) {
  const Ended ended = Policy({"verify", "--kernel", "first.cedar"});
  EXPECT_EQ(ended.status, 0) << Describe(ended);
  EXPECT_TRUE(ended.output.contains("the kernel's programs say what the policies say"))
      << Describe(ended);
}

}  // namespace
}  // namespace palyra::tests
