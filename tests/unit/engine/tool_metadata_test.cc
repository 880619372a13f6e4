// What files of tools say, and what they must not say.

#include "engine/tools/tool_metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"

namespace palyra::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kWhole = R"([tool.npm]
description = "packages"
capabilities = ["network", "process-exec", "network"]
sensitivity = "low"
executables = ["/usr/bin/npm",
  { path = "/opt/npm", sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" }]
environment = ["NPM_CONFIG_*", "CI"]
secrets = ["npm-token"]
calls = "100/h"
tier = "cell"
egress = "none"
[tool.npm.arguments]
max-count = 2
max-length = 10
allowed = ["ci", "--*"]
forbidden = ["--registry=*"]
[tool.npm.limits]
memory = "2g"
swap = "0"
cpus = "1.5"
cpu-time = "10m"
pids = "64"
io = "10m"
output-limit = "1m"
disk = "3g"
open-files = "256"
timeout = "5m"
[budget]
calls = "10/s"
)";

std::string ErrorOf(const std::string& text) {
  const Result<ToolFile> file = ParseTools(text, "t.toml");
  if (file) return "";
  EXPECT_EQ(file.error().code, ErrorCode::kInvalidArgument);
  return file.error().message;
}

// One tool with these lines.
std::string With(const std::string& lines) {
  return "[tool.x]\ncapabilities = []\nsensitivity = \"low\"\nexecutables = [\"/x\"]\n" + lines;
}

TEST(ToolMetadata, IsReadWhole) {
  const Result<ToolFile> file = ParseTools(kWhole, "t.toml");
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->tools.size(), 1U);
  const ToolMetadata& tool = file->tools[0];
  EXPECT_EQ(tool.name, "npm");
  EXPECT_EQ(tool.description, "packages");
  EXPECT_EQ(tool.source, "t.toml");
  EXPECT_THAT(tool.capabilities, ElementsAre(Capability::kProcessExec, Capability::kNetwork));
  EXPECT_EQ(tool.sensitivity, Sensitivity::kLow);
  ASSERT_EQ(tool.executables.size(), 2U);
  EXPECT_EQ(tool.executables[0], (ToolExecutable{.path = "/usr/bin/npm", .sha256 = {}}));
  EXPECT_EQ(base::HexText(*tool.executables[1].sha256).substr(0, 8), "ba7816bf");
  EXPECT_THAT(tool.environment, ElementsAre("NPM_CONFIG_*", "CI"));
  EXPECT_THAT(tool.secrets, ElementsAre("npm-token"));
  EXPECT_EQ(tool.calls, (CallBudget{.calls = 100, .window = std::chrono::hours(1)}));
  EXPECT_EQ(tool.arguments, (ArgumentSchema{.max_count = 2,
                                            .max_length = 10,
                                            .allowed = {"ci", "--*"},
                                            .forbidden = {"--registry=*"}}));
  EXPECT_EQ(tool.defaults, (ToolDefaults{.tier = "cell",
                                         .egress = "none",
                                         .memory = "2g",
                                         .swap = "0",
                                         .cpus = "1.5",
                                         .cpu_time = "10m",
                                         .pids = "64",
                                         .io = "10m",
                                         .output_limit = "1m",
                                         .disk = "3g",
                                         .open_files = "256",
                                         .timeout = "5m"}));
  EXPECT_EQ(file->budget, (CallBudget{.calls = 10, .window = std::chrono::seconds(1)}));
}

TEST(ToolMetadata, WhatIsWrongIsAnErrorAtItsPlace) {
  const struct {
    std::string text;
    const char* error;
  } cases[] = {
      {"colour = 1\n", "t.toml:1:1: there is no key \"colour\" in the file"},
      {With("colour = 1\n"), "t.toml:5:1: there is no key \"colour\" in [tool.x]"},
      {With("[tool.x.limits]\nmemry = \"1g\"\n"), "t.toml:6:1: there is no key \"memry\""},
      {With("[tool.x.arguments]\nmax = 1\n"), "t.toml:6:1: there is no key \"max\""},
      {With("limits = 3\n"), "t.toml:5:10: \"tool.x.limits\" is a table"},
      {With("[tool.x.limits]\nmemory = 3\n"), "t.toml:6:10: \"memory\" takes a text"},
      {With("[tool.x.arguments]\nmax-count = -1\n"), "t.toml:6:13: \"max-count\" takes a number"},
      {With("environment = \"A\"\n"), "t.toml:5:15: \"environment\" takes a list"},
      {With("environment = [\"*\"]\n"), "names no variables"},
      {With("environment = [\"A*B\"]\n"), "names no variables"},
      {With("environment = [\"A=1\"]\n"), "names no variables"},
      {With("environment = [\"LD_PRELOAD\"]\n"), "load other code"},
      {With("environment = [\"L*\"]\n"), "load other code"},
      {With("calls = \"many\"\n"), "t.toml:5:9: \"many\" is no budget"},
      {With("[budget]\ncall = \"1/s\"\n"), "t.toml:6:1: there is no key \"call\" in [budget]"},
      {With("") + With(""), "t.toml:5:1: "},
      {"[tool.x]\nsensitivity = \"low\"\nexecutables = [\"/x\"]\n", "says no \"capabilities\""},
      {"[tool.x]\ncapabilities = []\nexecutables = [\"/x\"]\n", "says no \"sensitivity\""},
      {"[tool.x]\ncapabilities = []\nsensitivity = \"low\"\n", "says no \"executables\""},
      {"[tool.x]\ncapabilities = [\"fly\"]\n", "t.toml:2:17: \"fly\" is no capability"},
      {"[tool.x]\nsensitivity = \"some\"\n", "t.toml:2:15: \"some\" is no sensitivity"},
      {"[tool.x]\nexecutables = [\"x\"]\n", "t.toml:2:16: an executable takes an absolute path"},
      {"[tool.x]\nexecutables = [{ path = \"/x\", md5 = \"1\" }]\n", "there is no key \"md5\""},
      {"[tool.x]\nexecutables = [{ path = \"/x\", sha256 = \"1\" }]\n", "64 hexadecimal digits"},
      {"[tool.X]\n", "\"X\" is no name of a tool"},
      {"[tool.unknown]\ncapabilities = []\nsensitivity = \"low\"\nexecutables = [\"/x\"]\n",
       "[tool.unknown] has no executables"},
      {"[tool.x\n", "t.toml:1:"},
      {"tool = 1\n", "t.toml:1:8: \"tool\" is a table"},
  };
  EXPECT_EQ(ErrorOf(With("")), "");
  for (const auto& c : cases) EXPECT_THAT(ErrorOf(c.text), HasSubstr(c.error)) << c.text;
}

// Cut off anywhere, or with a byte that nobody meant, a file is read or refused, and nothing else.
TEST(ToolMetadata, SurvivesWhatNobodyMeant) {
  const std::string whole = kWhole;
  for (size_t i = 0; i < whole.size(); ++i) {
    (void)ErrorOf(whole.substr(0, i));
    std::string changed = whole;
    changed[i] = static_cast<char>(changed[i] ^ 0x80);
    (void)ErrorOf(changed);
    changed[i] = '[';
    (void)ErrorOf(changed);
  }
  EXPECT_NE(ErrorOf(std::string(4096, '[')), "");
}

TEST(ToolMetadata, BudgetsAreCallsInATime) {
  for (const char* text : {"1/s", "30/m", "100/h", "10000/d"}) {
    const Result<CallBudget> budget = ParseBudget(text);
    ASSERT_TRUE(budget) << text;
    EXPECT_EQ(BudgetText(*budget), text);
  }
  for (const char* text :
       {"", "1", "/h", "0/h", "10001/h", "-1/h", "1/w", "1/hour", "1.5/h", "1h"}) {
    EXPECT_FALSE(ParseBudget(text)) << text;
  }
}

TEST(ToolMetadata, PatternsMatchWhole) {
  EXPECT_TRUE(MatchesPattern("", ""));
  EXPECT_TRUE(MatchesPattern("*", ""));
  EXPECT_TRUE(MatchesPattern("--*", "--x=*"));
  EXPECT_TRUE(MatchesPattern("a*b*c", "aXbYbc"));
  EXPECT_TRUE(MatchesPattern("*a", "aaa"));
  EXPECT_FALSE(MatchesPattern("", "x"));
  EXPECT_FALSE(MatchesPattern("a", "ab"));
  EXPECT_FALSE(MatchesPattern("a*b", "aXbc"));
  // Not in exponential time.
  EXPECT_FALSE(MatchesPattern(std::string(2000, '*') + "b", std::string(2000, 'a')));
}

TEST(ToolMetadata, ArgumentsAreThoseOfTheSchema) {
  const ToolMetadata tool = ParseTools(kWhole, "t.toml")->tools[0];
  const auto refusal = [&](const std::vector<std::string>& argv) -> std::string {
    const Result<void> checked = CheckArguments(tool, argv);
    if (checked) return "";
    EXPECT_EQ(checked.error().code, ErrorCode::kRefused);
    return checked.error().message;
  };
  EXPECT_EQ(refusal({"npm"}), "");
  EXPECT_EQ(refusal({"npm", "ci", "--x"}), "");
  EXPECT_THAT(refusal({"npm", "ci", "--x", "--y"}), HasSubstr("at most 2 arguments"));
  EXPECT_THAT(refusal({"npm", "install"}), HasSubstr("argument 1: "));
  EXPECT_THAT(refusal({"npm", "ci", "--0123456789"}), HasSubstr("argument 2 has 12"));
  ToolMetadata longer = tool;
  longer.arguments.max_length.reset();
  const std::vector<std::string> elsewhere = {"npm", "--registry=x"};
  EXPECT_THAT(CheckArguments(longer, elsewhere).error().message,
              HasSubstr("\"--registry=*\" is forbidden (t.toml)"));
  EXPECT_TRUE(CheckArguments(UnknownTool(), elsewhere));
}

// The registry that comes with Palyra.
TEST(ToolMetadata, WhatIsShippedLoads) {
  int files = 0;
  std::vector<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator(PALYRA_SOURCE_DIR "/packaging/tools.d")) {
    const Result<std::string> text = base::ReadFile(entry.path());
    ASSERT_TRUE(text);
    const Result<ToolFile> file = ParseTools(*text, entry.path());
    ASSERT_TRUE(file) << file.error().message;
    ++files;
    for (const ToolMetadata& tool : file->tools) {
      EXPECT_NE(tool.description, "") << tool.name;
      names.push_back(tool.name);
    }
  }
  EXPECT_GE(files, 5);
  for (const char* name :
       {"cargo", "git", "make", "node", "npm", "pip", "pytest", "python", "sh"}) {
    EXPECT_THAT(names, testing::Contains(name));
  }
  std::ranges::sort(names);
  EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
}

}  // namespace
}  // namespace palyra::engine
