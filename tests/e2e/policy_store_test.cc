// The operator's policies: put in force, and back, under a run that is alive.

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "tests/e2e/own_store.h"
#include "tests/e2e/own_tools.h"
#include "tests/support/palyra_run.h"
#include "tests/support/require_feature.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace palyra::tests {
namespace {

using testing::HasSubstr;

constexpr const char* kPermitAll = "permit (principal, action, resource);";

class PolicyStoreCommand : public testing::Test {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(Root());
    // Whatever the engine mounts, it mounts for the whole machine.
    ASSERT_EQ(PalyraRun().Run({"/bin/true"}).status, 0);
    mounts_ = OwnStore();
  }

  [[nodiscard]] SpawnOptions Inside() const {
    SpawnOptions options;
    options.in_child = [mounts = mounts_.get()] {
      return setns(mounts, CLONE_NEWNS) == 0 ? 0 : 99;
    };
    return options;
  }

  [[nodiscard]] Ended Policy(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {BinaryPath("palyra"), "policy"});
    return RunProgram(arguments, Inside());
  }

  UniqueFd mounts_;
  TempDir files_;
  std::string all_ = files_.Write("all.cedar", kPermitAll);
  std::string nothing_ = files_.Write("nothing.cedar", "// nobody may do anything\n");
};

// Listens on a loopback port of the kernel's choice.
class Server {
 public:
  Server() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* any = reinterpret_cast<sockaddr*>(&address);
    if (bind(socket_.get(), any, size) != 0 || listen(socket_.get(), 4096) != 0 ||
        getsockname(socket_.get(), any, &size) != 0) {
      throw std::runtime_error("no listener");
    }
    port_ = ntohs(address.sin_port);
  }

  // Says "open" or "shut" whenever that has changed.
  [[nodiscard]] std::vector<std::string> Watcher() const {
    const std::string connect = "(exec 3<>/dev/tcp/127.0.0.1/" + std::to_string(port_) + ") 2>&-";
    return {"/bin/bash", "-c",
            "while :; do now=shut; " + connect +
                " && now=open; [[ $now == $last ]] || echo $now; last=$now; sleep 0.1; done"};
  }

 private:
  UniqueFd socket_;
  int port_ = 0;
};

TEST_F(PolicyStoreCommand, LoadsUnderALiveRunAndRollsBack) {
  const Server server;
  ASSERT_EQ(Policy({"load", all_}).status, 0);
  PalyraRun command;
  command.Policy(kPermitAll);
  Subprocess run(command.CommandLine(server.Watcher()), Inside());
  ASSERT_TRUE(run.WaitForOutput("open\n")) << Describe(run.Wait(std::chrono::seconds(1)));

  const Ended tightened = Policy({"load", nothing_});
  EXPECT_EQ(tightened.status, 0) << Describe(tightened);
  EXPECT_THAT(tightened.output, HasSubstr("version 2 is in force"));
  EXPECT_TRUE(run.WaitForOutput("open\nshut\n"));
  EXPECT_EQ(Policy({"dump", "--live", all_}).status, 0) << "what all layers compile to now";

  const Ended back = Policy({"rollback"});
  EXPECT_EQ(back.status, 0) << Describe(back);
  EXPECT_TRUE(run.WaitForOutput("open\nshut\nopen\n"));

  const std::string history = Policy({"history"}).output;
  EXPECT_THAT(history, HasSubstr("* 1 "));
  EXPECT_THAT(history, HasSubstr("  2 "));
  run.Signal(SIGTERM);
  (void)run.Wait();
}

TEST_F(PolicyStoreCommand, ABadPolicyLoadsNothing) {
  ASSERT_EQ(Policy({"load", all_}).status, 0);
  const std::string bad = files_.Write("bad.cedar", "permit (principal, action");
  const Ended refused = Policy({"load", nothing_, bad});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.error_output, HasSubstr("bad.cedar:1:"));
  EXPECT_THAT(Policy({"history"}).output, HasSubstr("* 1 "));
  EXPECT_EQ(Policy({"rollback"}).status, 2) << "there is none before";
  EXPECT_EQ(Policy({"rollback", "--to", "7"}).status, 2);
}

// The change is not known to whoever put other rules in force, so nothing is allowed any more.
TEST_F(PolicyStoreCommand, LoadingDeniesARunUnderRulesOfAnother) {
  const Server server;
  ASSERT_EQ(Policy({"load", all_}).status, 0);
  PalyraRun command;
  command.Policy("// nobody may do anything");
  Subprocess run(command.CommandLine(server.Watcher()), Inside());
  ASSERT_TRUE(run.WaitForOutput("shut\n"));
  const std::string live = Policy({"dump", "--live"}).output;
  const size_t start = live.find(' ') + 1;
  const std::string id = live.substr(start, live.find(' ', start) - start);
  const Ended applied = Policy({"apply", "--run", id, all_});
  ASSERT_EQ(applied.status, 0) << Describe(applied);
  ASSERT_TRUE(run.WaitForOutput("shut\nopen\n"));

  const std::string more = files_.Write("more.cedar", std::string(kPermitAll) + kPermitAll);
  ASSERT_EQ(Policy({"load", more}).status, 0);
  ASSERT_TRUE(run.WaitForOutput("open\nshut\n"));
  ASSERT_EQ(Policy({"apply", "--run", id, all_}).status, 0);
  EXPECT_TRUE(run.WaitForOutput("open\nshut\nopen\n")) << "rules that know of it are in force";
  run.Signal(SIGTERM);
  (void)run.Wait();
}

// How a run is started is the operator's to decide, before anything runs.
TEST_F(PolicyStoreCommand, TheOperatorForbidsToGoUnheld) {
  const std::string no_weakening = files_.Write("strict.cedar", std::string(kPermitAll) + R"(
        @id("hold everything")
        forbid (principal, action == Palyra::Action::"tool.execute", resource)
        when { context has unheld };)");
  ASSERT_EQ(Policy({"load", no_weakening}).status, 0);
  const std::vector<std::string> command = {"/bin/sh", "-c", "echo ran"};
  PalyraRun weak;
  weak.Policy(kPermitAll).Option("--unheld", "file-names");
  const Ended refused = weak.Run(command, Inside());
  EXPECT_EQ(refused.status, 126) << Describe(refused);
  EXPECT_EQ(refused.output, "");
  EXPECT_THAT(refused.error_output, HasSubstr("tool.execute"));
  EXPECT_THAT(refused.error_output, HasSubstr("\"hold everything\""));
  EXPECT_THAT(refused.error_output, HasSubstr("unheld: [\"file-names\"]"));
  EXPECT_THAT(ReadText(weak.AuditPath()), HasSubstr("\"event\":\"refusal\""));
  EXPECT_EQ(weak.Option("--dry-run").Run(command, Inside()).status, 126);

  PalyraRun whole;
  whole.Policy(kPermitAll);
  // Twice: compiled, and found where the first has left its rules.
  for (int i = 0; i < 2; ++i) {
    const Ended ran = whole.Run(command, Inside());
    EXPECT_EQ(ran.status, 0) << Describe(ran);
    EXPECT_EQ(ran.output, "ran\n");
    EXPECT_EQ(weak.Run(command, Inside()).status, 126);
  }
  // Elsewhere nobody forbids it.
  PalyraRun control;
  control.Policy(kPermitAll).Option("--unheld", "file-names");
  EXPECT_EQ(control.Run(command).output, "ran\n");
}

TEST_F(PolicyStoreCommand, OnceTheOperatorSpeaksOfToolsTheRestIsDenied) {
  const std::string tools = files_.Write("tools.cedar", R"(
      permit (principal, action in [Palyra::Action::"net.connect"], resource);
      permit (principal, action == Palyra::Action::"tool.execute", resource == Palyra::Tool::"git")
      when { context has egress && context.egress == "none" };
      @ask("a person must look")
      permit (principal, action == Palyra::Action::"tool.execute", resource)
      when { resource.sensitivity == "high" };)");
  ASSERT_EQ(Policy({"load", tools}).status, 0);
  const OwnTools registry(mounts_.get());
  registry.Add("git", "low");
  registry.Add("npm", "high");
  const auto started = [&](const std::string& tool, const std::string& egress) {
    PalyraRun run;
    run.Policy(kPermitAll).Option("--egress", egress);
    return run.Run({registry.Program(tool), "ran"}, Inside());
  };
  const Ended permitted = started("git", "none");
  EXPECT_EQ(permitted.status, 0) << Describe(permitted);
  EXPECT_EQ(permitted.output, "ran\n");
  EXPECT_EQ(started("git", "strict").status, 126);
  const Ended unknown = started("curl", "none");
  EXPECT_EQ(unknown.status, 126);
  EXPECT_THAT(unknown.error_output, HasSubstr("no policy of the operator permits it"));
  EXPECT_THAT(unknown.error_output, HasSubstr("\npermit (principal == Palyra::Agent::\"unknown\""));
  const Ended asked = started("npm", "none");
  EXPECT_EQ(asked.status, 126);
  EXPECT_THAT(asked.error_output, HasSubstr("(\"a person must look\"); without a daemon nobody"));
  EXPECT_EQ(asked.output, "");
}

}  // namespace
}  // namespace palyra::tests
