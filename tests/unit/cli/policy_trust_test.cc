// Directories of policies that nobody names on the command line, as root, each test with an /etc
// and a home directory of its own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "cli/policy_sources.h"
#include "tests/support/require_feature.h"
#include "tests/unit/cli/load_layers.h"
#include "tests/unit/cli/own_mounts.h"

namespace palyra::cli {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr std::string_view kPermit = "permit(principal, action, resource);";
constexpr const char* kHome = "/root";  // root's.
constexpr const char* kOwnPolicies = "/root/.config/palyra/policy.d";

void Write(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

class PolicyTrustTest : public testing::Test {
 protected:
  void SetUp() override { PALYRA_REQUIRE_FEATURE(tests::Root()); }

  static void MakeDirectory(const std::string& path) { fs::create_directories(path); }

  static std::string LoadError(const RunOptions& options = {}) {
    const Result<std::vector<LayerPolicies>> layers = LoadLayers(options);
    return layers ? "" : layers.error().message;
  }
};

TEST_F(PolicyTrustTest, OperatorPoliciesAreALayerBetweenTheOthers) {
  InOwnMounts([] {
    EXPECT_EQ(LoadLayers({})->size(), 2U);
    MakeDirectory(kOperatorPolicies);
    Write(std::string(kOperatorPolicies) + "/a.cedar", kPermit);
    const Result<std::vector<LayerPolicies>> layers = LoadLayers({});
    ASSERT_TRUE(layers) << layers.error().message;
    ASSERT_EQ(layers->size(), 3U);
    EXPECT_EQ((*layers)[1].layer, policy::Layer::kOperator);
    EXPECT_EQ((*layers)[1].policies.size(), 1U);
  });
}

// An operator who allows nothing allows nothing: the layer is there.
TEST_F(PolicyTrustTest, AnEmptyOperatorDirectoryIsALayerToo) {
  InOwnMounts([] {
    MakeDirectory(kOperatorPolicies);
    const Result<std::vector<LayerPolicies>> layers = LoadLayers({});
    ASSERT_TRUE(layers);
    ASSERT_EQ(layers->size(), 3U);
    EXPECT_EQ((*layers)[1].policies.size(), 0U);
  });
}

TEST_F(PolicyTrustTest, WhatOthersThanRootCouldChangeIsRefused) {
  InOwnMounts([] {
    const std::string file = std::string(kOperatorPolicies) + "/a.cedar";
    MakeDirectory(kOperatorPolicies);
    Write(file, kPermit);
    ASSERT_EQ(LoadError(), "");
    for (const std::string& path : {std::string(kOperatorPolicies), file}) {
      for (const mode_t mode : {0775U, 0757U, 0777U}) {
        ASSERT_EQ(chmod(path.c_str(), mode), 0);
        EXPECT_THAT(LoadError(), HasSubstr('"' + path + '"')) << std::oct << mode;
      }
      ASSERT_EQ(chmod(path.c_str(), 0755), 0);
      ASSERT_EQ(chown(path.c_str(), 1000, 0), 0);
      EXPECT_THAT(LoadError(), HasSubstr("could be changed by others than root"));
      ASSERT_EQ(chown(path.c_str(), 0, 1000), 0);
      EXPECT_EQ(LoadError(), "") << "a group that cannot write";
    }
  });
}

TEST_F(PolicyTrustTest, OperatorEntitiesAreHeldToTheSame) {
  InOwnMounts([] {
    MakeDirectory(kOperatorPolicies);
    Write(kOperatorEntities, "[]");
    ASSERT_EQ(LoadError(), "");
    ASSERT_EQ(chmod(kOperatorEntities, 0666), 0);
    EXPECT_THAT(LoadError(), HasSubstr(kOperatorEntities));
    ASSERT_EQ(chmod(kOperatorEntities, 0644), 0);
    Write(kOperatorEntities, "{]");
    EXPECT_NE(LoadError(), "");
  });
}

TEST_F(PolicyTrustTest, OperatorSchemaIsHeldToTheSame) {
  InOwnMounts([] {
    MakeDirectory(kOperatorPolicies);
    Write(kOperatorSchema, "entity Team;");
    ASSERT_EQ(LoadError(), "");
    ASSERT_EQ(chmod(kOperatorSchema, 0666), 0);
    EXPECT_THAT(LoadError(), HasSubstr(kOperatorSchema));
    ASSERT_EQ(chmod(kOperatorSchema, 0644), 0);
    Write(kOperatorSchema, "entity");
    EXPECT_NE(LoadError(), "");
  });
}

TEST_F(PolicyTrustTest, AWrongOperatorPolicyStopsEveryRun) {
  InOwnMounts([] {
    MakeDirectory(kOperatorPolicies);
    Write(std::string(kOperatorPolicies) + "/a.cedar", "permit(");
    EXPECT_THAT(LoadError(), HasSubstr("a.cedar"));
  });
}

TEST_F(PolicyTrustTest, TheCallersOwnPoliciesHoldWhereNothingIsNamed) {
  InOwnMounts([] {
    EXPECT_EQ(CallerSources({})->size(), 0U) << "nothing is permitted";
    MakeDirectory(kOwnPolicies);
    Write(std::string(kOwnPolicies) + "/a.cedar", kPermit);
    const Result<std::vector<policy::SourcePtr>> own = CallerSources({});
    ASSERT_TRUE(own) << own.error().message;
    ASSERT_EQ(own->size(), 1U);
    EXPECT_EQ((*own)[0]->name(), std::string(kOwnPolicies) + "/a.cedar");

    RunOptions named;
    named.net_rules = {{policy::NetShorthand::kAllow, "10.0.0.1"}};
    const Result<std::vector<policy::SourcePtr>> other = CallerSources(named);
    ASSERT_TRUE(other);
    ASSERT_EQ(other->size(), 1U) << "what is named takes their place";
    EXPECT_EQ((*other)[0]->name(), "command line");

    ASSERT_EQ(chmod(kOwnPolicies, 0777), 0);
    EXPECT_FALSE(CallerSources({}));
    EXPECT_TRUE(CallerSources(named));
  });
}

TEST_F(PolicyTrustTest, AFileInTheWorkspaceIsNeverTaken) {
  InOwnMounts([] {
    const fs::path before = fs::current_path();
    const std::string workspace = std::string(kHome) + "/workspace";
    fs::create_directories(workspace + "/.config/palyra/policy.d");
    fs::create_directories(workspace + "/policy.d");
    for (const std::string place :
         {".config/palyra/policy.d/a.cedar", "policy.d/a.cedar", "a.cedar", "policy.cedar"}) {
      Write(fs::path(workspace) / place, kPermit);
    }
    fs::current_path(workspace);
    setenv("HOME", workspace.c_str(), 1);
    setenv("XDG_CONFIG_HOME", (workspace + "/.config").c_str(), 1);
    EXPECT_EQ(CallerSources({})->size(), 0U);
    unsetenv("XDG_CONFIG_HOME");
    setenv("HOME", kHome, 1);
    fs::current_path(before);
  });
}

}  // namespace
}  // namespace palyra::cli
