// The registry of tools, on the command line.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "tests/e2e/own_store.h"
#include "tests/e2e/own_tools.h"
#include "tests/support/palyra_run.h"
#include "tests/support/require_feature.h"

namespace palyra::tests {
namespace {

using testing::HasSubstr;

constexpr const char* kPermitAll = "permit (principal, action, resource);";

class Tools : public testing::Test {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(Root());
    // Whatever the engine mounts, it mounts for the whole machine.
    ASSERT_EQ(PalyraRun().Run({"/bin/true"}).status, 0);
    mounts_ = OwnStore();
    tools_.emplace(mounts_.get());
  }

  [[nodiscard]] Ended Palyra(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), BinaryPath("palyra"));
    return RunProgram(arguments, tools_->Inside());
  }

  UniqueFd mounts_;
  std::optional<OwnTools> tools_;
};

TEST_F(Tools, AreListedAndShown) {
  tools_->Add("git", "low", "calls = \"7/h\"\n[tool.git.limits]\ntimeout = \"5s\"\n");
  const Ended list = Palyra({"tool", "list"});
  EXPECT_EQ(list.status, 0) << Describe(list);
  EXPECT_THAT(list.output, HasSubstr("git          low     network"));
  EXPECT_THAT(list.output, HasSubstr("unknown      medium"));
  EXPECT_THAT(Palyra({"tool", "list", "--json"}).output, HasSubstr("\"name\": \"git\""));
  const Ended shown = Palyra({"tool", "show", "git"});
  EXPECT_EQ(shown.status, 0);
  EXPECT_THAT(shown.output, HasSubstr("/etc/palyra/tools.d/git.toml"));
  EXPECT_THAT(Palyra({"tool", "show", "git", "--json"}).output, HasSubstr("\"timeout\": \"5s\""));
  const Ended missing = Palyra({"tool", "show", "svn"});
  EXPECT_EQ(missing.status, 1);
  EXPECT_THAT(missing.error_output, HasSubstr("no tool \"svn\""));
}

TEST_F(Tools, ABadEntryIsToldAndStopsEveryRun) {
  tools_->Add("git", "low", "colour = \"red\"\n");
  const Ended list = Palyra({"tool", "list"});
  EXPECT_EQ(list.status, 1);
  EXPECT_THAT(list.error_output, HasSubstr("git.toml:5:1: there is no key \"colour\""));
  const Ended run = PalyraRun().Policy(kPermitAll).Run({"/bin/echo", "ran"}, tools_->Inside());
  EXPECT_EQ(run.status, 125);
  EXPECT_EQ(run.output, "");
  tools_->Shell("chmod 666 /etc/palyra/tools.d/git.toml");
  EXPECT_THAT(Palyra({"tool", "list"}).error_output, HasSubstr("cannot trust"));
}

TEST_F(Tools, ARunIsTheToolThatItsFileIs) {
  tools_->Add("git", "low");
  tools_->Add("npm", "low");
  const auto run = [&](const std::string& tool, const std::string& program) {
    PalyraRun command;
    command.Policy(kPermitAll);
    if (!tool.empty()) command.Option("--tool", tool);
    Ended ended = command.Run({program, "ran"}, tools_->Inside());
    ended.error_output += ReadText(command.AuditPath());
    return ended;
  };
  const Ended git = run("", tools_->Program("git"));
  EXPECT_EQ(git.output, "ran\n") << Describe(git);
  EXPECT_THAT(git.error_output, HasSubstr("\"tool\":\"git\""));
  EXPECT_THAT(run("", tools_->Program("other")).error_output, HasSubstr("\"tool\":\"unknown\""));
  EXPECT_EQ(run("git", tools_->Program("git")).status, 0);
  const Ended wrong = run("npm", tools_->Program("git"));
  EXPECT_EQ(wrong.status, 126);
  EXPECT_EQ(wrong.output, "");
  EXPECT_THAT(wrong.error_output, HasSubstr("is the tool \"git\""));
}

TEST_F(Tools, TheEntryLimitsARunAndItsArguments) {
  tools_->Add("git", "low",
              "environment = [\"MY_*\"]\n[tool.git.arguments]\nforbidden = [\"--exec=*\"]\n"
              "[tool.git.limits]\ntimeout = \"1s\"\n");
  const std::string git = tools_->Program("git");
  tools_->Shell("printf '#!/bin/sh\\necho \"$MY_NAME $1\"; [ \"$1\" = quick ] || sleep 600\\n' >" +
                git);
  SpawnOptions inside = tools_->Inside();
  inside.environment = {{"PATH=/usr/bin:/bin", "MY_NAME=me"}};
  const Ended quick = PalyraRun().Policy(kPermitAll).Run({git, "quick"}, inside);
  EXPECT_EQ(quick.output, "me quick\n") << Describe(quick);
  const Ended slow = PalyraRun().Policy(kPermitAll).Run({git, "slow"}, inside);
  EXPECT_EQ(slow.status, 124) << Describe(slow);
  const Ended refused = PalyraRun().Policy(kPermitAll).Run({git, "--exec=sh"}, inside);
  EXPECT_EQ(refused.status, 126);
  EXPECT_EQ(refused.output, "");
  EXPECT_THAT(refused.error_output, HasSubstr("argument 1: "));
}

// The policy that comes with Palyra.
TEST_F(Tools, TheShippedPolicyAsksForSensitiveOnesAlone) {
  tools_->Add("git", "medium");
  tools_->Add("ssh", "high");
  tools_->Shell("mkdir /etc/palyra/policy.d");
  tools_->Shell("cat >/etc/palyra/policy.d/50-tools.cedar <<'END'\n" +
                ReadText(PALYRA_SOURCE_DIR "/packaging/policy.d/50-tools.cedar") + "END\n");
  ASSERT_EQ(Palyra({"policy", "load"}).status, 0);
  const auto run = [&](const std::string& program) {
    return PalyraRun().Policy(kPermitAll).Run({program, "ran"}, tools_->Inside());
  };
  EXPECT_EQ(run(tools_->Program("git")).output, "ran\n");
  EXPECT_EQ(run(tools_->Program("other")).output, "ran\n") << "unknown ones are not asked for";
  const Ended asked = run(tools_->Program("ssh"));
  EXPECT_EQ(asked.status, 126);
  EXPECT_EQ(asked.output, "");
  EXPECT_THAT(asked.error_output, HasSubstr("\"tools of high sensitivity\""));
  EXPECT_THAT(asked.error_output, HasSubstr("the answer is no"));
  const Ended explained = Palyra({"policy", "explain", "tool.execute", "ssh", "egress=none"});
  EXPECT_THAT(explained.output, HasSubstr("tool.execute ssh: ask"));
  EXPECT_THAT(Palyra({"policy", "explain", "tool.execute", "git"}).output,
              HasSubstr("tool.execute git: allow"));
  EXPECT_EQ(Palyra({"policy", "explain", "tool.execute", "git", "colour=red"}).status, 2);
}

}  // namespace
}  // namespace palyra::tests
