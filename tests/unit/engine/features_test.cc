#include "engine/features.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string_view>

namespace palyra::engine {
namespace {

TEST(Features, AreListedInTheOrderOfTheirEnumeration) {
  for (int i = 0; i < kFeatureCount; ++i) {
    EXPECT_EQ(static_cast<int>(AllFeatures().at(static_cast<size_t>(i)).feature), i);
  }
}

TEST(Features, SayWhatTheyAreForAndWhatTheirAbsenceCosts) {
  std::set<std::string_view> names;
  for (const FeatureInfo& info : AllFeatures()) {
    EXPECT_FALSE(info.name.empty());
    EXPECT_FALSE(info.purpose.empty()) << info.name;
    EXPECT_FALSE(info.lack.empty()) << info.name;
    EXPECT_FALSE(info.remedy.empty()) << info.name;
    EXPECT_EQ(info.required, info.lack == "no run can be held") << info.name;
    names.insert(info.name);
  }
  EXPECT_EQ(names.size(), size_t{kFeatureCount}) << "two features of one name";
}

TEST(Features, AskTheirProberOnceForEachAndOnlyWhenNeeded) {
  std::map<Feature, int> asked;
  Features features([&asked](Feature feature) {
    ++asked[feature];
    return FeatureState{.present = feature == Feature::kLandlock, .detail = "told"};
  });
  EXPECT_TRUE(asked.empty());

  EXPECT_TRUE(features.Has(Feature::kLandlock));
  EXPECT_EQ(asked.size(), 1U);
  // As `palyra doctor` does, and then everything else.
  for (int round = 0; round < 3; ++round) {
    for (const FeatureInfo& info : AllFeatures()) {
      EXPECT_EQ(features.Has(info.feature), info.feature == Feature::kLandlock) << info.name;
      EXPECT_EQ(features.Get(info.feature).detail, "told");
    }
  }
  EXPECT_EQ(asked.size(), size_t{kFeatureCount});
  for (const auto& [feature, count] : asked) EXPECT_EQ(count, 1) << static_cast<int>(feature);
}

TEST(Features, RememberAbsenceToo) {
  int asked = 0;
  Features features([&asked](Feature) {
    ++asked;
    return FeatureState{};
  });
  EXPECT_FALSE(features.Has(Feature::kBpfLsm));
  EXPECT_FALSE(features.Has(Feature::kBpfLsm));
  EXPECT_EQ(asked, 1);
}

}  // namespace
}  // namespace palyra::engine
