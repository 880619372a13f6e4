#include "engine/tier.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>

namespace palyra::engine {
namespace {

constexpr std::array kTiers = {Tier::kWatch, Tier::kGuard, Tier::kCell, Tier::kSealed};

TEST(TierTest, HasANameThatFindsIt) {
  for (const Tier tier : kTiers) EXPECT_EQ(TierOf(TierName(tier)), tier);
  EXPECT_EQ(TierOf("Cell"), std::nullopt);
  EXPECT_EQ(TierOf(""), std::nullopt);
}

// Each step relies on the ones before it, so no tier has an order of its own.
TEST(TierTest, TakesStepsInOneOrder) {
  for (const Tier tier : kTiers) {
    EXPECT_TRUE(std::ranges::is_sorted(StepsOf(tier))) << TierName(tier);
    EXPECT_EQ(StepsOf(tier).back(), SpawnStep::kExec);
  }
}

TEST(TierTest, AStricterTierTakesEveryStepOfTheLooser) {
  EXPECT_TRUE(std::ranges::includes(StepsOf(Tier::kCell), StepsOf(Tier::kGuard)));
  EXPECT_TRUE(std::ranges::includes(StepsOf(Tier::kSealed), StepsOf(Tier::kCell)));
  EXPECT_TRUE(std::ranges::equal(StepsOf(Tier::kWatch), StepsOf(Tier::kGuard)));
  EXPECT_EQ(NamespacesOf(Tier::kSealed) & NamespacesOf(Tier::kCell), NamespacesOf(Tier::kCell));
  EXPECT_NE(NamespacesOf(Tier::kSealed) & CLONE_NEWNET, 0U);
  EXPECT_EQ(NamespacesOf(Tier::kGuard), 0U);
}

}  // namespace
}  // namespace palyra::engine
