// Which tool a file is: by what it is, and never by what somebody says.

#include "engine/tools/tool_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/temp_dir.h"

namespace palyra::engine {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string Entry(const std::string& name, const std::string& executables,
                  const std::string& sensitivity = "low") {
  return "[tool.\"" + name + "\"]\ncapabilities = []\nsensitivity = \"" + sensitivity +
         "\"\nexecutables = [" + executables + "]\n";
}

ToolUser Caller() {
  ToolUser user;
  user.uid = geteuid();
  user.gid = getegid();
  return user;
}

class ToolRegistryTest : public testing::Test {
 protected:
  ToolRegistryTest() {
    fs::create_directory(files_.Path("shipped"));
    fs::create_directory(files_.Path("etc"));
    fs::create_directory(files_.Path("bin"));
  }

  [[nodiscard]] Result<ToolRegistry> Load() const {
    return ToolRegistry::Load({files_.Path("shipped"), files_.Path("etc")});
  }
  [[nodiscard]] std::string LoadError() const {
    const Result<ToolRegistry> registry = Load();
    return registry ? "" : registry.error().message;
  }

  // Makes a program, and gives its path.
  [[nodiscard]] std::string Program(const std::string& name, const std::string& text = "x") const {
    const std::string path = files_.Write("bin/" + name, text);
    EXPECT_EQ(chmod(path.c_str(), 0755), 0);
    return path;
  }

  // The names of the tools that the command is; "nothing" where it leads to no file.
  [[nodiscard]] std::vector<std::string> Tools(const std::string& command) const {
    const Result<ToolRegistry> registry = Load();
    EXPECT_TRUE(registry) << registry.error().message;
    Result<std::optional<Executable>> found =
        FindExecutable(command, {"PATH=" + files_.Path("bin")}, Caller(), files_.path());
    EXPECT_TRUE(found);
    if (!registry || !found || !*found) return {"nothing"};
    const Result<std::vector<ToolMatch>> matches = registry->Match(**found);
    EXPECT_TRUE(matches);
    std::vector<std::string> names;
    for (const ToolMatch& match : *matches) {
      if (!match.distrusted.empty()) continue;
      names.push_back(match.tool->name);
      executed_ = match.path;
    }
    return names;
  }

  const tests::TempDir files_;
  mutable std::string executed_;
};

std::string Quoted(const std::string& path) { return '"' + path + '"'; }

TEST_F(ToolRegistryTest, LaterDirectoriesReplaceEntriesWhole) {
  EXPECT_THAT(Load()->tools(), IsEmpty());
  EXPECT_EQ(Load()->unknown(), UnknownTool());
  (void)files_.Write("shipped/a.toml", Entry("git", "\"/git\"") + Entry("npm", "\"/npm\"") +
                                           "[budget]\ncalls = \"1/h\"\n");
  (void)files_.Write("shipped/not-toml", "[");
  (void)files_.Write("etc/b.toml", Entry("npm", "\"/other\"", "high") +
                                       "[tool.unknown]\ncapabilities = []\nsensitivity = "
                                       "\"high\"\n[budget]\ncalls = \"2/h\"\n");
  const Result<ToolRegistry> registry = Load();
  ASSERT_TRUE(registry) << registry.error().message;
  ASSERT_EQ(registry->tools().size(), 3U);
  EXPECT_EQ(registry->Find("git")->source, files_.Path("shipped/a.toml"));
  EXPECT_EQ(registry->Find("npm")->sensitivity, Sensitivity::kHigh);
  EXPECT_EQ(registry->Find("pip"), nullptr);
  EXPECT_EQ(registry->unknown().sensitivity, Sensitivity::kHigh);
  EXPECT_EQ(registry->budget()->calls, 2U);
}

TEST_F(ToolRegistryTest, WhatIsWrongLoadsNothing) {
  (void)files_.Write("etc/a.toml", Entry("git", "\"/git\""));
  (void)files_.Write("etc/b.toml", Entry("git", "\"/git\""));
  EXPECT_THAT(LoadError(), HasSubstr("b.toml: the tool \"git\" is in"));
  (void)files_.Write("etc/b.toml", "nothing = 1\n");
  EXPECT_THAT(LoadError(), HasSubstr("b.toml:1:1: "));
  const std::string other = files_.Write("etc/b.toml", Entry("npm", "\"/npm\""));
  EXPECT_EQ(LoadError(), "");
  ASSERT_EQ(chmod(other.c_str(), 0666), 0);
  EXPECT_THAT(LoadError(), HasSubstr("cannot trust"));
  ASSERT_EQ(chmod(other.c_str(), 0644), 0);
  ASSERT_EQ(chmod(files_.Path("etc").c_str(), 0777), 0);
  EXPECT_THAT(LoadError(), HasSubstr("cannot trust"));
}

TEST_F(ToolRegistryTest, AToolIsTheFileThatItsEntryNames) {
  const std::string git = Program("git");
  const std::string copy = Program("copy");
  fs::create_symlink("git", files_.Path("bin/link"));
  fs::create_symlink("bin/git", files_.Path("named"));
  (void)files_.Write("etc/a.toml", Entry("git", Quoted(files_.Path("named"))));
  EXPECT_THAT(Tools("git"), ElementsAre("git"));
  EXPECT_THAT(Tools("link"), ElementsAre("git"));
  EXPECT_THAT(Tools("./bin/git"), ElementsAre("git"));
  EXPECT_EQ(executed_, files_.Path("named")) << "a relative path may lead elsewhere by then";
  EXPECT_THAT(Tools(git), ElementsAre("git"));
  EXPECT_EQ(executed_, git);
  EXPECT_THAT(Tools(copy), IsEmpty()) << "equal bytes are not enough";
  EXPECT_THAT(Tools("missing"), ElementsAre("nothing"));
  ASSERT_EQ(chmod(git.c_str(), 0644), 0);
  EXPECT_THAT(Tools("git"), ElementsAre("nothing"));
}

TEST_F(ToolRegistryTest, OnlyAFileThatNobodyElseCanChangeIsATool) {
  const std::string git = Program("git");
  (void)files_.Write("etc/a.toml", Entry("git", Quoted(git)));
  EXPECT_THAT(Tools("git"), ElementsAre("git"));
  ASSERT_EQ(chmod(git.c_str(), 0775), 0);
  EXPECT_THAT(Tools("git"), IsEmpty());
  ASSERT_EQ(chmod(git.c_str(), 0755), 0);
  ASSERT_EQ(chmod(files_.Path("bin").c_str(), 0777), 0);
  EXPECT_THAT(Tools("git"), IsEmpty());
}

// A way to it that others can change is not the way that is taken.
TEST_F(ToolRegistryTest, IsExecutedAsTheRegistryHasItWhereTheWayIsOthers) {
  const std::string git = Program("git");
  (void)files_.Write("etc/a.toml", Entry("git", Quoted(git)));
  fs::create_directory(files_.Path("open"));
  fs::create_symlink(git, files_.Path("open/git"));
  EXPECT_THAT(Tools(files_.Path("open/git")), ElementsAre("git"));
  EXPECT_EQ(executed_, files_.Path("open/git"));
  ASSERT_EQ(chmod(files_.Path("open").c_str(), 0777), 0);
  EXPECT_THAT(Tools(files_.Path("open/git")), ElementsAre("git"));
  EXPECT_EQ(executed_, git);
}

TEST_F(ToolRegistryTest, ADigestHasToBeThatOfTheFile) {
  const std::string path = Program("abc", "abc");
  const std::string digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  const auto entry = [&](const std::string& sha256) {
    return Entry("abc", "{ path = " + Quoted(path) + ", sha256 = " + Quoted(sha256) + " }");
  };
  (void)files_.Write("etc/a.toml", entry(digest));
  EXPECT_THAT(Tools("abc"), ElementsAre("abc"));
  (void)Program("abc", "abd");
  EXPECT_THAT(Tools("abc"), IsEmpty());
}

// Programs that are many by their name are one file.
TEST_F(ToolRegistryTest, OfManyItIsTheMostSensitiveThenTheOneThatWasAskedFor) {
  const std::string box = Program("box");
  fs::create_symlink("box", files_.Path("bin/ls"));
  fs::create_symlink("box", files_.Path("bin/dd"));
  (void)files_.Write("etc/a.toml", Entry("ls", Quoted(files_.Path("bin/ls"))) +
                                       Entry("dd", Quoted(files_.Path("bin/dd")), "high") +
                                       Entry("box", Quoted(box), "medium"));
  EXPECT_THAT(Tools("ls"), ElementsAre("dd", "box", "ls"));
  EXPECT_THAT(Tools("box"), ElementsAre("dd", "box", "ls"));
  fs::create_symlink("box", files_.Path("bin/cat"));
  EXPECT_THAT(Tools("cat"), ElementsAre("dd", "box", "ls"));
}

}  // namespace
}  // namespace palyra::engine
