// Which files are known by the names that protect them.

#include "engine/linked_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "policy/compile/spoken_names.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/policy/compile_fixture.h"

namespace palyra::engine {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class LinkedNames : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(At("secret/deep"));
    for (const char* name : {"file", "single", "secret/a", "secret/deep/b", "secret/single"}) {
      std::ofstream(At(name)) << name;
    }
    for (const char* name : {"file", "secret/a", "secret/deep/b"}) {
      fs::create_hard_link(At(name), At(fs::path(name).filename().string() + "-link"));
    }
  }

  [[nodiscard]] std::string At(const std::string& name) const {
    return fs::canonical(directory_.path()).string() + '/' + name;
  }

  static policy::RuleSet RulesOf(const std::string& condition) {
    policy::CompileFixture fixture(
        "permit (principal, action in Palyra::Action::\"file.any\", resource);\n"
        "forbid (principal, action == Palyra::Action::\"file.read\", resource) when { " +
        condition + " };\n");
    const uint16_t judged = policy::JudgedNames(fixture.input().layers);
    fixture.set_coverage(policy::CoverageFor(judged));
    auto compiled = fixture.Compile();
    EXPECT_TRUE(compiled.has_value()) << condition;
    policy::KeepNames(compiled->rules, judged);
    return policy::TakeFileRules(compiled->rules);
  }

  static std::vector<std::string> PathsOf(const LinkedFiles& found) {
    std::vector<std::string> paths;
    for (const LinkedFile& file : found.files) paths.push_back(file.path);
    return paths;
  }

  [[nodiscard]] std::string In(const std::string& name) const {
    return "resource in Palyra::Directory::\"" + At(name) + '"';
  }

 private:
  tests::TempDir directory_;
};

TEST_F(LinkedNames, AreThoseOfFilesWithOtherNames) {
  EXPECT_THAT(PathsOf(FindLinkedFiles(RulesOf("resource.path == \"" + At("file") + "\""))),
              ElementsAre(At("file")));
  EXPECT_THAT(PathsOf(FindLinkedFiles(RulesOf("resource.path == \"" + At("single") + "\""))),
              IsEmpty());
  EXPECT_THAT(PathsOf(FindLinkedFiles(RulesOf("resource.path == \"" + At("gone") + "\""))),
              IsEmpty());
}

TEST_F(LinkedNames, AreThoseOfEverythingInADirectory) {
  const LinkedFiles found = FindLinkedFiles(RulesOf(In("secret")));
  EXPECT_THAT(PathsOf(found), UnorderedElementsAre(At("secret/a"), At("secret/deep/b")));
  EXPECT_THAT(found.left_out, IsEmpty());
}

TEST_F(LinkedNames, AreNotLookedForBehindPatternsAndExceptions) {
  EXPECT_THAT(PathsOf(FindLinkedFiles(RulesOf("resource.path like \"*/file\""))), IsEmpty());
  EXPECT_THAT(RulesOf("resource.path like \"*/file\" && !(" + In("secret") + ")").protected_names,
              IsEmpty());
}

// A directory may be listed, and what is in it is still forbidden.
TEST_F(LinkedNames, AreLookedForWhereTheDirectoryItselfIsExempt) {
  const policy::RuleSet rules =
      RulesOf(In("secret") + " && resource.path != \"" + At("secret") + '"');
  EXPECT_THAT(PathsOf(FindLinkedFiles(rules)),
              UnorderedElementsAre(At("secret/a"), At("secret/deep/b")));
}

TEST_F(LinkedNames, OfOneFileThatAreDecidedAlikeAreOne) {
  fs::create_hard_link(At("secret/a"), At("secret/deep/again"));
  EXPECT_THAT(PathsOf(FindLinkedFiles(RulesOf(In("secret")))).size(), 2);
}

TEST_F(LinkedNames, ThatAreTooManyAreSaid) {
  const policy::RuleSet rules = RulesOf(In("secret"));
  EXPECT_THAT(FindLinkedFiles(rules, {.in_directory = 2, .in_all = 10, .files = 10}).left_out,
              ElementsAre(At("secret")));
  EXPECT_THAT(FindLinkedFiles(rules, {.in_directory = 10, .in_all = 2, .files = 10}).left_out,
              ElementsAre(At("secret")));
  EXPECT_THAT(FindLinkedFiles(rules, {.in_directory = 10, .in_all = 10, .files = 1}).left_out,
              ElementsAre(At("secret")));
  EXPECT_THAT(FindLinkedFiles(rules, {.in_directory = 4, .in_all = 4, .files = 2}).left_out,
              IsEmpty());
}

TEST_F(LinkedNames, ASymbolicLinkLeadsToNone) {
  fs::create_symlink(At("secret"), At("other"));
  EXPECT_THAT(PathsOf(FindLinkedFiles(RulesOf(In("other")))), IsEmpty());
}

}  // namespace
}  // namespace palyra::engine
