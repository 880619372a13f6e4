#include "cli/policy_sources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/support/temp_dir.h"
#include "tests/unit/cli/load_layers.h"

namespace palyra::cli {
namespace {

using policy::SourcePtr;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kPermit = "permit(principal, action, resource);";

std::vector<std::string> Names(const Result<std::vector<SourcePtr>>& sources) {
  std::vector<std::string> names;
  EXPECT_TRUE(sources) << sources.error().message;
  if (!sources) return names;
  for (const SourcePtr& source : *sources) names.push_back(source->name());
  return names;
}

class PolicySourcesTest : public testing::Test {
 protected:
  const tests::TempDir directory_;
};

TEST_F(PolicySourcesTest, AreAFileByTheNameThatWasGiven) {
  const std::string path = directory_.Write("a.cedar", kPermit);
  const Result<std::vector<SourcePtr>> sources = ReadPolicySources(path);
  EXPECT_THAT(Names(sources), ElementsAre(path));
  EXPECT_EQ((*sources)[0]->text(), kPermit);
  // Whatever it is called, if it is named.
  EXPECT_EQ(Names(ReadPolicySources(directory_.Write("policy.txt", kPermit))).size(), 1U);
}

TEST_F(PolicySourcesTest, AreTheCedarFilesOfADirectoryInTheOrderOfTheirNames) {
  for (const std::string name : {"20-b.cedar", "10-z.cedar", "3.cedar", "Z.cedar", "a.cedar"}) {
    (void)directory_.Write(name, kPermit);
  }
  for (const std::string name : {"README.md", "a.cedar~", "a.cedar.bak", "cedar", ".cedar"}) {
    (void)directory_.Write(name, "not a policy");
  }
  EXPECT_THAT(Names(ReadPolicySources(directory_.path())),
              ElementsAre(directory_.Path("10-z.cedar"), directory_.Path("20-b.cedar"),
                          directory_.Path("3.cedar"), directory_.Path("Z.cedar"),
                          directory_.Path("a.cedar")));
}

TEST_F(PolicySourcesTest, OfAnEmptyDirectoryAreNone) {
  EXPECT_THAT(Names(ReadPolicySources(directory_.path())), IsEmpty());
}

// A directory that cannot be read whole is not half a policy.
TEST_F(PolicySourcesTest, FailWhereOneFileCannotBeRead) {
  (void)directory_.Write("a.cedar", kPermit);
  ASSERT_EQ(symlink("/nowhere/at/all", directory_.Path("b.cedar").c_str()), 0);
  const Result<std::vector<SourcePtr>> sources = ReadPolicySources(directory_.path());
  ASSERT_FALSE(sources);
  EXPECT_EQ(sources.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(sources.error().message, HasSubstr("b.cedar"));
}

TEST_F(PolicySourcesTest, FailWhereAFileIsMissing) {
  const std::string path = directory_.Path("missing.cedar");
  const Result<std::vector<SourcePtr>> sources = ReadPolicySources(path);
  ASSERT_FALSE(sources);
  EXPECT_EQ(sources.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(sources.error().message, HasSubstr('"' + path + '"'));
  RunOptions options;
  options.policies = {path};
  EXPECT_FALSE(LoadLayers(options));
  options.policies = {""};
  EXPECT_FALSE(CallerSources(options));
}

TEST_F(PolicySourcesTest, OfTheCallerAreFilesFirstAndThenShorthandsInTheirOrder) {
  RunOptions options;
  options.policies = {directory_.Write("b.cedar", kPermit), directory_.Write("a.cedar", kPermit)};
  options.net_rules = {{policy::NetShorthand::kDeny, "10.0.0.1"},
                       {policy::NetShorthand::kAllow, "10.0.0.0/8"}};
  const Result<std::vector<SourcePtr>> sources = CallerSources(options);
  EXPECT_THAT(Names(sources), ElementsAre(options.policies[0], options.policies[1], "command line",
                                          "command line"));
  EXPECT_THAT(std::string((*sources)[2]->text()), HasSubstr("forbid"));
  EXPECT_THAT(std::string((*sources)[3]->text()), HasSubstr("permit"));
}

TEST_F(PolicySourcesTest, RefuseAShorthandThatIsNone) {
  RunOptions options;
  options.net_rules = {{policy::NetShorthand::kAllow, "user@example.com"}};
  const Result<std::vector<SourcePtr>> sources = CallerSources(options);
  ASSERT_FALSE(sources);
  EXPECT_EQ(sources.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(PolicySourcesTest, MakeTheMandatoryLayerFirstAndTheCallersLast) {
  RunOptions options;
  options.policies = {directory_.Write("a.cedar", kPermit)};
  const Result<std::vector<LayerPolicies>> layers = LoadLayers(options);
  ASSERT_TRUE(layers) << layers.error().message;
  ASSERT_GE(layers->size(), 2U);
  EXPECT_EQ(layers->front().layer, policy::Layer::kMandatory);
  EXPECT_GT(layers->front().policies.size(), 0U);
  EXPECT_EQ(layers->back().layer, policy::Layer::kCaller);
  EXPECT_EQ(layers->back().policies.size(), 1U);
}

TEST_F(PolicySourcesTest, TellWhereAPolicyIsWrong) {
  RunOptions options;
  options.policies = {directory_.Write("a.cedar", "permit(principal, action);")};
  const Result<std::vector<LayerPolicies>> layers = LoadLayers(options);
  ASSERT_FALSE(layers);
  EXPECT_THAT(layers.error().message, HasSubstr("a.cedar:1:"));
  EXPECT_THAT(layers.error().message, HasSubstr("^")) << "and shows the place";
}

TEST_F(PolicySourcesTest, FailWithEntitiesThatAreNone) {
  RunOptions options;
  options.policies = {directory_.Write("a.cedar", kPermit)};
  options.entities = directory_.Write("entities.json", "{]");
  EXPECT_FALSE(LoadLayers(options));
  options.entities = directory_.Path("missing.json");
  EXPECT_FALSE(LoadLayers(options));
  options.entities = directory_.Write("entities.json", "[]");
  EXPECT_TRUE(LoadLayers(options));
}

// A forbid with a slip in a name would never forbid.
TEST_F(PolicySourcesTest, RefuseWhatTheSchemaDoesNotKnow) {
  RunOptions options;
  options.policies = {directory_.Write(
      "a.cedar",
      "forbid(principal, action == Palyra::Action::\"net.connect\", resource) when { "
      "resource.prot == \"tcp\" };")};
  const Result<std::vector<LayerPolicies>> layers = LoadLayers(options);
  ASSERT_FALSE(layers);
  EXPECT_THAT(layers.error().message, HasSubstr("\"prot\""));
  EXPECT_THAT(layers.error().message, HasSubstr("a.cedar:1:"));
}

TEST_F(PolicySourcesTest, HoldPoliciesAndEntitiesToTheCallersSchemaToo) {
  RunOptions options;
  options.policies = {directory_.Write(
      "a.cedar",
      "permit(principal, action == Palyra::Action::\"net.connect\", resource) when { "
      "principal in Team::\"web\" };")};
  options.entities =
      directory_.Write("entities.json",
                       R"([{"uid": {"type": "Palyra::Agent", "id": "a"}, "attrs": {"level": 3},
           "parents": [{"type": "Team", "id": "web"}]}])");
  EXPECT_FALSE(LoadLayers(options));
  const std::string text =
      "entity Team; namespace Palyra { entity Agent in [Team] { level?: Long }; }";
  options.schema = directory_.Write("s.cedarschema", text);
  const Result<std::vector<LayerPolicies>> layers = LoadLayers(options);
  ASSERT_TRUE(layers) << layers.error().message;
  EXPECT_NE(layers->back().entities.Find(policy::EntityUid("Palyra::Agent", "a")), nullptr);

  options.schema = directory_.Write(
      "s.json", R"({"": {"entityTypes": {"Team": {}}, "actions": {}}, "Palyra": {"entityTypes":
          {"Agent": {"memberOfTypes": ["Team"], "shape": {"type": "Record", "attributes":
          {"level": {"type": "Long", "required": false}}}}}, "actions": {}}})");
  EXPECT_TRUE(LoadLayers(options));
  options.schema = directory_.Write("s.cedarschema", "entity Team");
  EXPECT_FALSE(LoadLayers(options));
  options.schema = directory_.Path("missing.cedarschema");
  EXPECT_FALSE(LoadLayers(options));
}

}  // namespace
}  // namespace palyra::cli
