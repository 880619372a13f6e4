// Which tool a command line runs, and what its entry adds to it.

#include "cli/run_tool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "cli/start_text.h"
#include "cli/tool_entity.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/cli/load_layers.h"

namespace palyra::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class RunToolTest : public testing::Test {
 protected:
  RunToolTest() {
    for (const char* name : {"git", "npm", "other"}) {
      const std::string path = files_.Write(name, "x");
      EXPECT_EQ(chmod(path.c_str(), 0755), 0);
    }
    std::filesystem::create_directory(files_.Path("tools.d"));
    (void)files_.Write("tools.d/a.toml", Entry("git") + Entry("npm"));
  }

  // With what follows the executables.
  [[nodiscard]] std::string Entry(const std::string& name, const std::string& more = "") const {
    return "[tool." + name + "]\ncapabilities = [\"network\"]\nsensitivity = \"high\"\n" +
           "executables = [\"" + files_.Path(name) + "\"]\n" + more;
  }

  [[nodiscard]] engine::ToolRegistry Registry() const {
    Result<engine::ToolRegistry> registry = engine::ToolRegistry::Load({files_.Path("tools.d")});
    EXPECT_TRUE(registry) << registry.error().message;
    return *std::move(registry);
  }

  [[nodiscard]] Result<RunTool> Find(const RunOptions& options) const {
    engine::ToolUser user;
    user.uid = geteuid();
    user.gid = getegid();
    return FindTool(Registry(), options, user, files_.path(), {"PATH=" + files_.path()});
  }
  [[nodiscard]] std::string NameOf(const RunOptions& options) const {
    const Result<RunTool> tool = Find(options);
    EXPECT_TRUE(tool) << tool.error().message;
    return tool ? tool->metadata.name : "";
  }
  [[nodiscard]] std::string Refusal(const RunOptions& options) const {
    const Result<RunTool> tool = Find(options);
    if (tool) return "";
    EXPECT_EQ(tool.error().code, ErrorCode::kRefused);
    return tool.error().message;
  }

  static RunOptions Command(const std::string& command,
                            const std::optional<std::string>& tool = std::nullopt) {
    RunOptions options;
    options.command = {command};
    options.tool = tool;
    return options;
  }

  const tests::TempDir files_;
};

TEST_F(RunToolTest, IsWhatTheCommandLeadsTo) {
  EXPECT_EQ(NameOf(Command("git")), "git");
  EXPECT_EQ(NameOf(Command("./git")), "git");
  EXPECT_EQ(NameOf(Command(files_.Path("git"))), "git");
  EXPECT_EQ(NameOf(Command("other")), "unknown");
  EXPECT_EQ(NameOf(Command("missing")), "unknown");
  EXPECT_FALSE(Find(Command("missing"))->path);
  EXPECT_EQ(Find(Command("git"))->path, files_.Path("git"));
  EXPECT_EQ(Find(Command("other"))->path, files_.Path("other"));
}

TEST_F(RunToolTest, NobodyNamesAToolThatItIsNot) {
  EXPECT_EQ(NameOf(Command("git", "git")), "git");
  EXPECT_EQ(NameOf(Command("other", "unknown")), "unknown");
  EXPECT_THAT(Refusal(Command("git", "npm")), HasSubstr("git\" is the tool \"git\""));
  EXPECT_THAT(Refusal(Command("git", "unknown")), HasSubstr("git\" is the tool \"git\""));
  EXPECT_THAT(Refusal(Command("other", "git")), HasSubstr("is none of its executables"));
  EXPECT_THAT(Refusal(Command("other", "ls")), HasSubstr("no such entry"));
  EXPECT_EQ(NameOf(Command("missing", "git")), "unknown") << "nothing runs";
}

TEST_F(RunToolTest, AToolWithOtherCodeInItDoesNotRun) {
  RunOptions options = Command("git");
  options.environment = {"LD_PRELOAD=/x.so"};
  EXPECT_THAT(Refusal(options), HasSubstr("the tool \"git\": LD_PRELOAD"));
  options.tool = "unknown";
  EXPECT_THAT(Refusal(options), HasSubstr("the tool \"git\": LD_PRELOAD"));
  options.tool.reset();
  options.command = {"other"};
  EXPECT_EQ(NameOf(options), "unknown");
  options.command = {"git"};
  options.environment = {"LANG=C"};
  EXPECT_EQ(NameOf(options), "git");
}

TEST_F(RunToolTest, AFileThatChangedDoesNotRun) {
  (void)files_.Write(
      "tools.d/a.toml",
      "[tool.git]\ncapabilities = []\nsensitivity = \"low\"\nexecutables = [{ path = "
      "\"" +
          files_.Path("git") + "\", sha256 = \"" + std::string(64, '0') + "\" }]\n");
  EXPECT_THAT(Refusal(Command("git")), HasSubstr("the tool \"git\": its SHA-256"));
  EXPECT_EQ(NameOf(Command("other")), "unknown");
}

TEST_F(RunToolTest, AFileThatOthersCanChangeGainsNothingByIt) {
  EXPECT_EQ(chmod(files_.Path("git").c_str(), 0777), 0);
  EXPECT_THAT(Refusal(Command("git")), HasSubstr(files_.Path("git")));
  (void)files_.Write("tools.d/a.toml",
                     "[tool.git]\ncapabilities = []\nsensitivity = \"low\"\nexecutables = [\"" +
                         files_.Path("git") + "\"]\n");
  EXPECT_EQ(NameOf(Command("git")), "unknown");
}

TEST_F(RunToolTest, TheStrictestEntryHoldsWhateverIsNamed) {
  (void)files_.Write("tools.d/b.toml",
                     "[tool.alias]\ncapabilities = []\nsensitivity = \"low\"\n"
                     "executables = [\"" +
                         files_.Path("git") + "\"]\n");
  EXPECT_EQ(NameOf(Command("git")), "git");
  EXPECT_THAT(Refusal(Command("git", "alias")), HasSubstr("is the tool \"git\""));
}

TEST_F(RunToolTest, WithoutACommandItIsWhatIsNamed) {
  RunOptions options;
  EXPECT_EQ(NameOf(options), "unknown");
  options.tool = "git";
  EXPECT_EQ(NameOf(options), "git");
  options.tool = "ls";
  EXPECT_THAT(Refusal(options), HasSubstr("no such entry"));
}

TEST_F(RunToolTest, ArgumentsThatTheEntryDoesNotTakeAreRefused) {
  (void)files_.Write("tools.d/a.toml",
                     Entry("git", "[tool.git.arguments]\nforbidden = [\"--upload-pack=*\"]\n"));
  RunOptions options = Command("git");
  options.command.emplace_back("fetch");
  EXPECT_EQ(NameOf(options), "git");
  options.command.emplace_back("--upload-pack=sh");
  EXPECT_THAT(Refusal(options), AllOf(HasSubstr("argument 2: "), Not(HasSubstr("=sh"))));
}

TEST_F(RunToolTest, TheEntrySaysWhatTheCommandLineDoesNot) {
  (void)files_.Write("tools.d/a.toml",
                     Entry("git",
                           "environment = [\"GIT_AUTHOR_*\", \"CI\"]\negress = \"none\"\n"
                           "[tool.git.limits]\ntimeout = \"2m\"\n"));
  const engine::ToolRegistry registry = Registry();
  const std::vector<std::string> caller = {"GIT_AUTHOR_NAME=a", "GIT_DIR=/x", "CI=1", "CIA=2"};
  RunOptions options;
  options.environment = {"MINE=1"};
  ASSERT_TRUE(ApplyToolDefaults(*registry.Find("git"), caller, options));
  EXPECT_EQ(options.timeout, std::chrono::minutes(2));
  EXPECT_EQ(options.egress, policy::EgressEnforcementMode::kNone);
  EXPECT_THAT(options.environment, ElementsAre("GIT_AUTHOR_NAME", "CI", "MINE=1"));

  RunOptions said;
  said.timeout = std::chrono::seconds(1);
  said.egress = policy::EgressEnforcementMode::kStrict;
  said.has_egress = true;
  ASSERT_TRUE(ApplyToolDefaults(*registry.Find("git"), caller, said));
  EXPECT_EQ(said.timeout, std::chrono::seconds(1));
  EXPECT_EQ(said.egress, policy::EgressEnforcementMode::kStrict);
}

TEST_F(RunToolTest, TheEntrySaysTheTierAndSealedMeansOffline) {
  (void)files_.Write("tools.d/a.toml", Entry("git", "tier = \"sealed\"\negress = \"strict\"\n"));
  const engine::ToolRegistry registry = Registry();
  const engine::ToolMetadata& git = *registry.Find("git");
  RunOptions options;
  ASSERT_TRUE(ApplyToolDefaults(git, {}, options));
  EXPECT_EQ(options.tier, engine::Tier::kSealed);
  EXPECT_EQ(options.egress, policy::EgressEnforcementMode::kNone);

  RunOptions said;
  said.tier = engine::Tier::kGuard;
  said.has_tier = true;
  ASSERT_TRUE(ApplyToolDefaults(git, {}, said));
  EXPECT_EQ(said.tier, engine::Tier::kGuard);

  RunOptions online;
  online.has_egress = true;
  EXPECT_FALSE(ApplyToolDefaults(git, {}, online)) << "nobody is taken offline unasked";
}

TEST_F(RunToolTest, ADefaultThatIsNoneIsNotDropped) {
  for (const char* wrong :
       {"egress = \"some\"\n", "tier = \"some\"\n", "[tool.git.limits]\ntimeout = \"soon\"\n"}) {
    (void)files_.Write("tools.d/a.toml", Entry("git", wrong));
    RunOptions options;
    const Result<void> applied = ApplyToolDefaults(*Registry().Find("git"), {}, options);
    ASSERT_FALSE(applied) << wrong;
    EXPECT_THAT(applied.error().message, HasSubstr("a.toml: "));
  }
}

// Groups come from entities, and what a tool is from the registry alone.
TEST_F(RunToolTest, EntitiesCannotSayWhatAToolIs) {
  RunOptions options;
  options.policies = {files_.Write("p.cedar", R"(
      permit (principal, action == Palyra::Action::"tool.execute",
              resource in Palyra::ToolGroup::"vcs") when { resource.sensitivity == "low" };)")};
  options.entities = files_.Write("e.json", R"([{"uid": {"type": "Palyra::Tool", "id": "git"},
      "attrs": {"sensitivity": "low", "capabilities": []},
      "parents": [{"type": "Palyra::ToolGroup", "id": "vcs"}]},
      {"uid": {"type": "Palyra::Tool", "id": "svn"}, "attrs": {}, "parents": []}])");
  const auto is_refused = [&](const std::string& sensitivity) {
    Result<std::vector<LayerPolicies>> layers = LoadLayers(options);
    EXPECT_TRUE(layers) << layers.error().message;
    EXPECT_TRUE(AddTool(*layers, "git", {.sensitivity = sensitivity, .capabilities = {}}));
    const policy::Entity* other = layers->back().entities.Find({"Palyra::Tool", "svn"});
    EXPECT_EQ(*other->attrs.Find("sensitivity")->AsString(), "medium");
    return RefusalOfExecution(*layers, ExecutionRequestOf({.tool = "git"}, {})).has_value();
  };
  EXPECT_FALSE(is_refused("low"));
  EXPECT_TRUE(is_refused("high"));
}

TEST(StartText, IsReadOrRefused) {
  const Result<WrittenStart> start = ParseStart(
      {"tool.execute", "git", "egress=none", "user=root", "argv=a", "argv=b=c", "memory=5"});
  ASSERT_TRUE(start) << start.error().message;
  EXPECT_EQ(start->tool, "git");
  EXPECT_EQ(start->facts.egress, "none");
  EXPECT_EQ(start->facts.user, "root");
  EXPECT_THAT(start->facts.argv, ElementsAre("a", "b=c"));
  EXPECT_EQ(start->facts.limits.memory, 5);
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"tool.execute"},
                                             {"tool.execute", "a=b"},
                                             {"tool.execute", "git", "none"},
                                             {"tool.execute", "git", "egress=some"},
                                             {"tool.execute", "git", "colour=red"},
                                             {"tool.execute", "git", "memory=-1"},
                                             {"tool.execute", "git", "memory=1g"}}) {
    EXPECT_FALSE(ParseStart(words)) << words.back();
  }
}

}  // namespace
}  // namespace palyra::cli
