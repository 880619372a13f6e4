// Loading the operator's policies: what is refused, and what is in force then.

#include "cli/policy/store_verbs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

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

constexpr std::string_view kPermit = "permit (principal, action, resource);";
const std::string kFile = std::string(kOperatorPolicies) + "/a.cedar";

void Write(const std::string& path, std::string_view text) {
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

// How many policies of the operator a run would be under; -1 without that layer.
int InForce() {
  const auto layer = LoadOperatorLayer();
  EXPECT_TRUE(layer) << layer.error().message;
  return layer && *layer ? static_cast<int>((*layer)->policies.size()) : -1;
}

std::string WhyNot(const std::expected<std::string, PolicyRefusal>& loaded) {
  if (loaded) return "";
  return loaded.error().message + policy::Render(loaded.error().diagnostics);
}

class StoreVerbsTest : public testing::Test {
 protected:
  void SetUp() override { PALYRA_REQUIRE_FEATURE(tests::Root()); }
};

TEST_F(StoreVerbsTest, WhatWasLoadedIsInForceUntilTheNextLoad) {
  InOwnMounts([] {
    EXPECT_EQ(InForce(), -1);
    Write(kFile, kPermit);
    EXPECT_EQ(InForce(), 1) << "before the first load the files are read";
    EXPECT_EQ(WhyNot(LoadOperatorPolicies({})), "");
    Write(kFile, "");
    EXPECT_EQ(InForce(), 1);
    EXPECT_EQ(WhyNot(LoadOperatorPolicies({})), "");
    EXPECT_EQ(InForce(), 0);
    EXPECT_EQ(WhyNot(RollBackOperatorPolicies(std::nullopt)), "");
    EXPECT_EQ(InForce(), 1);
    EXPECT_EQ(WhyNot(RollBackOperatorPolicies(2)), "");
    EXPECT_EQ(InForce(), 0);
    fs::remove_all(kOperatorPolicies);
    EXPECT_EQ(InForce(), 0) << "the files do not matter any more";
  });
}

TEST_F(StoreVerbsTest, OneBadPolicyOfManyLoadsNothing) {
  InOwnMounts([] {
    Write(kFile, kPermit);
    ASSERT_EQ(WhyNot(LoadOperatorPolicies({})), "");
    const std::string other = std::string(kOperatorPolicies) + "/b.cedar";
    for (const auto& [text, why] : {
             std::pair("permit (principal,", "b.cedar:1:"),
             std::pair("permit (principal, action, resource) when { resource.nothing };",
                       "nothing"),
             std::pair("permit (principal, action == Palyra::Action::\"net.connect\", resource) "
                       "when { resource.domain == \"a.example\" };",
                       "domain"),
         }) {
      Write(other, text);
      EXPECT_THAT(WhyNot(LoadOperatorPolicies({})), HasSubstr(why));
      EXPECT_EQ(InForce(), 1);
    }
    Write(other, kPermit);
    EXPECT_EQ(WhyNot(LoadOperatorPolicies({})), "");
    EXPECT_EQ(InForce(), 2);
  });
}

// For every other agent the policy says nothing.
TEST_F(StoreVerbsTest, WhatCannotBeLoweredForOneKnownAgentIsRefused) {
  InOwnMounts([] {
    const std::string lowered =
        "permit (principal, action == Palyra::Action::\"net.connect\", "
        "resource) when { principal == Palyra::Agent::\"bot\"";
    Write(kFile, lowered + " && resource.address.isIpv4() == (resource.port == 53) };");
    EXPECT_EQ(WhyNot(LoadOperatorPolicies({})), "") << "nobody knows that agent";
    Write(kOperatorEntities,
          R"([{"uid": {"type": "Palyra::Agent", "id": "bot"}, "attrs": {}, "parents": []}])");
    const std::string why = WhyNot(LoadOperatorPolicies({}));
    EXPECT_THAT(why, HasSubstr("agent \"bot\""));
    EXPECT_THAT(why, HasSubstr("a.cedar:1:"));
  });
}

TEST_F(StoreVerbsTest, WhatOthersCouldHaveWrittenIsNotLoaded) {
  InOwnMounts([] {
    Write(kFile, kPermit);
    ASSERT_EQ(WhyNot(LoadOperatorPolicies({})), "");
    ASSERT_EQ(chmod(kFile.c_str(), 0666), 0);
    EXPECT_THAT(WhyNot(LoadOperatorPolicies({})), HasSubstr("chmod go-w"));
    ASSERT_EQ(chmod(kFile.c_str(), 0644), 0);
    // And the store is read with the same distrust.
    ASSERT_EQ(chmod("/var/lib/palyra", 0777), 0);
    EXPECT_FALSE(LoadOperatorLayer());
    ASSERT_EQ(chmod("/var/lib/palyra", 0755), 0);
    for (const auto& version : fs::directory_iterator("/var/lib/palyra/policy/versions")) {
      std::ofstream(version.path(), std::ios::app) << "permit (principal, action, resource);";
    }
    const auto damaged = LoadOperatorLayer();
    ASSERT_FALSE(damaged);
    EXPECT_THAT(damaged.error().message, HasSubstr("damaged"));
  });
}

TEST_F(StoreVerbsTest, HistoryMarksWhatIsInForce) {
  InOwnMounts([] {
    EXPECT_EQ(*OperatorPolicyHistory(), "");
    EXPECT_THAT(WhyNot(RollBackOperatorPolicies(std::nullopt)), HasSubstr("palyra policy history"));
    Write(kFile, kPermit);
    ASSERT_TRUE(LoadOperatorPolicies({}));
    Write(kFile, "");
    ASSERT_TRUE(LoadOperatorPolicies({}));
    const std::string history = *OperatorPolicyHistory();
    EXPECT_THAT(history, HasSubstr("  1 20"));
    EXPECT_THAT(history, HasSubstr("* 2 20"));
  });
}

}  // namespace
}  // namespace palyra::cli
