#include "engine/file_judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "policy/compile/spoken_names.h"
#include "tests/support/require_feature.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/engine/view_model.h"
#include "tests/unit/policy/compile_fixture.h"

namespace palyra::engine {
namespace {

using policy::Coverage;
using policy::FileChange;
using policy::NameAction;
using testing::HasSubstr;

constexpr unsigned Bit(NameAction action) { return 1U << static_cast<unsigned>(action); }
constexpr unsigned kUnix = Bit(NameAction::kUnixConnect);
constexpr unsigned kFiles = 0xFF;

std::string On(const std::string& effect, const std::string& action,
               const std::string& condition = "true") {
  return effect + " (principal, action == Palyra::Action::\"" + action + "\", resource) when { " +
         condition + " };\n";
}

// As palyra-run does.
policy::RuleSet RulesOf(const std::string& policies) {
  policy::CompileFixture fixture(policies);
  const uint16_t judged = policy::JudgedNames(fixture.input().layers);
  fixture.set_coverage(policy::CoverageFor(judged));
  auto compiled = fixture.Compile();
  EXPECT_TRUE(compiled.has_value()) << policies;
  policy::KeepNames(compiled->rules, judged);
  return policy::TakeFileRules(compiled->rules);
}

unsigned Judged(const std::string& policies) {
  return policy::JudgedNames(policy::CompileFixture(policies).input().layers);
}

Result<std::optional<FileView>> Lower(const std::string& policies, bool has_landlock = true,
                                      const Unheld& unheld = {}) {
  Features features([=](Feature) { return FeatureState{.present = has_landlock, .detail = ""}; });
  return LowerForLandlock(RulesOf(policies), features, FakeTree(), unheld);
}

std::string RefusalOf(const std::string& policies, bool has_landlock = true) {
  const auto view = Lower(policies, has_landlock);
  return view ? "held" : view.error().message;
}

TEST(JudgedNames, AreThoseThatPoliciesSpeakOf) {
  EXPECT_EQ(Judged("permit (principal, action, resource);"), kUnix);
  EXPECT_EQ(Judged(On("permit", "net.connect")), kUnix);
  EXPECT_EQ(Judged(On("forbid", "file.link")), kUnix | kFiles);
  EXPECT_EQ(Judged(On("permit", "process.exec")), kUnix | kFiles);
  EXPECT_EQ(Judged("permit (principal, action in Palyra::Action::\"file.any\", resource);"),
            kUnix | kFiles);
  EXPECT_EQ(Judged("permit (principal, action, resource in Palyra::Directory::\"/a\");"),
            kUnix | kFiles);
  EXPECT_EQ(Judged("permit (principal, action, resource is Palyra::Endpoint);"), kUnix);
  EXPECT_EQ(Judged(On("permit", "process.trace")), kUnix | Bit(NameAction::kProcessTrace));
  EXPECT_EQ(policy::CoverageFor(kUnix), Coverage::kNetworkAndUnix);
  EXPECT_EQ(policy::CoverageFor(kUnix | kFiles), Coverage::kFiles);
  const policy::CompileFixture mandatory({{policy::Layer::kMandatory, On("forbid", "file.read")}});
  EXPECT_EQ(policy::JudgedNames(mandatory.input().layers), kUnix);
}

TEST(JudgedNames, WhatIsDecidedElsewhereIsRefusedBesideFiles) {
  policy::CompileFixture fixture(On("permit", "file.read") + On("forbid", "http.request"));
  fixture.set_coverage(Coverage::kFiles);
  EXPECT_FALSE(fixture.Compile());
  fixture.set_coverage(Coverage::kAll);
  EXPECT_TRUE(fixture.Compile());
}

TEST(CompareFileRules, TellsWhatIsDeniedByNowFromWhatIsAllowed) {
  const auto compare = [](const std::string& before, const std::string& after) {
    const FileChange change = policy::CompareFileRules(RulesOf(before), RulesOf(after));
    return std::string(change.is_tighter ? "tighter " : "") + (change.is_looser ? "looser" : "");
  };
  const std::string all = On("permit", "file.read");
  const std::string some = On("permit", "file.read", "resource.path like \"/a/*\"");
  const std::string other = On("permit", "file.read", "resource.path like \"/b/*\"");
  EXPECT_EQ(compare(all, all), "");
  EXPECT_EQ(compare(all, some), "tighter ");
  EXPECT_EQ(compare(some, all), "looser");
  EXPECT_EQ(compare(some, other), "tighter looser");
  EXPECT_EQ(compare("", some), "tighter ");
  EXPECT_EQ(compare(some, ""), "looser");
  EXPECT_EQ(compare(all, all + On("permit", "net.connect")), "");
}

TEST(FileJudgeTest, RefusesWhatAnotherHardLinkLeadsTo) {
  const tests::TempDir directory;
  const std::string file = directory.Write("secret", "s");
  const std::string policies =
      On("permit", "file.read") + On("forbid", "file.read", "resource.path == \"" + file + "\"");
  EXPECT_THAT(RefusalOf(policies), testing::Not(HasSubstr("FILE-LINKED")));
  ASSERT_EQ(link(file.c_str(), directory.Path("other").c_str()), 0);
  EXPECT_THAT(RefusalOf(policies), HasSubstr("FILE-LINKED"));
  EXPECT_THAT(RefusalOf(policies), HasSubstr("--unheld file-links"));
  Unheld unheld;
  ASSERT_TRUE(AddUnheld("file-links", unheld));
  EXPECT_TRUE(Lower(policies, true, unheld));
}

TEST(FileJudgeTest, HoldsWhatPoliciesSayOfFilesOrNothing) {
  const auto view = Lower(On("permit", "file.read"));
  ASSERT_TRUE(view) << view.error().message;
  EXPECT_TRUE(view->has_value());
  EXPECT_FALSE(Lower("permit (principal, action, resource);").value().has_value());
  EXPECT_THAT(RefusalOf(On("permit", "file.read"), false), HasSubstr("FILE-KERNEL"));
  EXPECT_THAT(RefusalOf(On("permit", "process.signal"), false), HasSubstr("FILE-KERNEL"));
  EXPECT_EQ(RefusalOf("permit (principal, action, resource);", false), "held");
}

TEST(FileJudgeTest, ProcessesAreThoseOfTheRun) {
  for (const char* const action : {"process.signal", "process.trace"}) {
    EXPECT_EQ(RefusalOf(On("permit", action, "resource.same_run")), "held");
    EXPECT_THAT(RefusalOf(On("permit", action)), HasSubstr("PROCESS-SCOPE"));
    EXPECT_THAT(RefusalOf(On("permit", action, "!resource.same_run")), HasSubstr("PROCESS-SCOPE"));
    EXPECT_THAT(RefusalOf(On("forbid", action)), HasSubstr("--unheld processes"));
  }
  Unheld unheld;
  ASSERT_TRUE(AddUnheld("processes", unheld));
  EXPECT_TRUE(Lower(On("permit", "process.signal"), true, unheld));
}

TEST(FileJudgeTest, SaysWhatCouldGoUnheld) {
  EXPECT_THAT(RefusalOf(On("permit", "file.read") + On("permit", "file.write")),
              HasSubstr("or weaken the run by --unheld file-attributes"));
  Unheld unheld;
  ASSERT_TRUE(AddUnheld("file-attributes", unheld));
  EXPECT_TRUE(Lower(On("permit", "file.read") + On("permit", "file.write"), true, unheld));
  EXPECT_FALSE(AddUnheld("everything", unheld));
}

}  // namespace
}  // namespace palyra::engine
