// `palyra policy` as people call it: first of all every command of the guide.

#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/guide.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace palyra::tests {
namespace {

std::vector<std::string> Words(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

// Runs "palyra …" in `directory`; everything that it prints, warnings first.
std::string Printed(const std::string& command, const std::string& directory) {
  std::vector<std::string> words = Words(command);
  words[0] = BinaryPath(words[0]);
  SpawnOptions options;
  options.directory = directory;
  const Ended ended = RunProgram(words, options);
  return ended.error_output + ended.output;
}

TEST(PolicyCommand, DoesWhatTheGuideSays) {
  const TempDir directory;
  EXPECT_GE(Guide(PALYRA_SOURCE_DIR "/docs/policy_language.md").Run(directory, Printed), 7);
}

TEST(PolicyCommand, VerifiesEveryExamplePolicy) {
  int verified = 0;
  for (const auto& file :
       std::filesystem::recursive_directory_iterator(PALYRA_SOURCE_DIR "/examples")) {
    if (file.path().extension() != ".cedar") continue;
    ++verified;
    for (const std::string built_in : {"", "--defaults "}) {
      const std::string checked =
          Printed("palyra policy check " + built_in + file.path().string(), "/srv");
      EXPECT_TRUE(checked.starts_with("good: ")) << checked;
      const std::string printed =
          Printed("palyra policy verify " + built_in + file.path().string(), "/srv");
      EXPECT_TRUE(printed.contains("the tables say what the policies say")) << printed;
    }
  }
  EXPECT_GE(verified, 8);
}

class PolicyStatus : public testing::Test {
 protected:
  int Status(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {BinaryPath("palyra"), "policy"});
    SpawnOptions options;
    options.directory = files_.path();
    const Ended ended = RunProgram(arguments, options);
    said_ = Describe(ended);
    return ended.status;
  }

  TempDir files_;
  mutable std::string said_;
  std::string good_ = files_.Write(
      "good.cedar", "permit (principal, action == Palyra::Action::\"net.connect\", resource);");
  std::string same_ = files_.Write(
      "same.cedar",
      "@id(\"x\") permit (principal, action == Palyra::Action::\"net.connect\", resource);");
  std::string bad_ = files_.Write("bad.cedar", "permit (principal, action, resource");
  std::string place_ =
      files_.Write("place.cedar",
                   "permit (principal, action == Palyra::Action::\"file.read\", resource in "
                   "Palyra::Directory::\"${elsewhere}\");");
};

TEST_F(PolicyStatus, SaysHowItWent) {
  EXPECT_EQ(Status({"check", "good.cedar"}), 0) << said_;
  EXPECT_EQ(Status({"check", "bad.cedar"}), 1) << said_;
  EXPECT_EQ(Status({"check", "good.cedar", "bad.cedar"}), 1) << said_;
  EXPECT_EQ(Status({"check", "none.cedar"}), 2) << said_;
  EXPECT_EQ(Status({"check", "place.cedar"}), 1) << said_;
  EXPECT_TRUE(said_.contains("LOW-PLACE") || said_.contains("there is no place")) << said_;
  EXPECT_EQ(Status({"check", "--now", "noon", "good.cedar"}), 2) << said_;
  EXPECT_EQ(Status({"diff", "good.cedar", "same.cedar"}), 0) << said_;
  EXPECT_EQ(Status({"diff", "good.cedar", "bad.cedar"}), 1) << said_;
  EXPECT_EQ(Status({"explain", "--policy", "good.cedar", "net.connect", "tcp", "nowhere"}), 2)
      << said_;
  EXPECT_EQ(Status({"explain", "--policy", "good.cedar", "net.connect", "tcp", "[::1]:1"}), 0)
      << said_;
}

TEST_F(PolicyStatus, TellsProgramsWhatIsWrong) {
  EXPECT_EQ(Status({"check", "--json", "bad.cedar"}), 1);
  EXPECT_TRUE(said_.contains(R"("good": false)")) << said_;
  EXPECT_TRUE(said_.contains(R"("line": 1)")) << said_;
  EXPECT_EQ(Status({"check", "--json", "good.cedar"}), 0);
  EXPECT_TRUE(said_.contains(R"("good": true)")) << said_;
}

}  // namespace
}  // namespace palyra::tests
