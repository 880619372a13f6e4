#include "engine/profile.h"

#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/unique_fd.h"
#include "tests/support/require_feature.h"
#include "tests/unit/engine/own_kernel.h"
#include "tests/unit/engine/random_rules.h"

namespace palyra::engine {
namespace {

using policy::RuleSet;

constexpr uint64_t kOwner = 42;

class ProfileTest : public testing::Test {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(tests::Root());
    before_ = Entries();
  }

  void TearDown() override {
    if (before_.empty()) return;  // Skipped.
    EXPECT_EQ(Entries(), before_) << "something is left in the tables";
  }

  static const KernelObjects& Objects() { return OwnKernel::Get().objects(); }
  static std::map<std::string, size_t> Entries() { return OwnKernel::Get().Entries(); }

  static Profile Upload(const RuleSet& rules, uint64_t owner = kOwner) {
    Result<Profile> profile = Profile::Upload(Objects(), rules, owner);
    EXPECT_TRUE(profile) << profile.error().message;
    return *std::move(profile);
  }

  // Every entry of the image is in the table as it is.
  template <typename Key, typename Value>
  static void ExpectThere(Table table, const engine::Entries<Key, Value>& entries) {
    for (size_t i = 0; i < entries.keys.size(); ++i) {
      Value value = {};
      ASSERT_EQ(bpf_map_lookup_elem(Objects().fd(table), &entries.keys[i], &value), 0)
          << TableName(table) << " entry " << i;
      EXPECT_EQ(std::memcmp(&value, &entries.values[i], sizeof(value)), 0) << TableName(table);
    }
  }

  static void ExpectInForce(const RuleSet& rules, uint32_t id) {
    const Result<TableImage> image = BuildTableImage(rules, id);
    ASSERT_TRUE(image);
    ExpectThere(Table::kAddresses4, image->addresses4);
    ExpectThere(Table::kAddresses6, image->addresses6);
    ExpectThere(Table::kRows, image->rows);
    ExpectThere(Table::kReasons, image->reasons);
    palyra_profile profile = {};
    ASSERT_EQ(bpf_map_lookup_elem(Objects().fd(Table::kProfiles), &id, &profile), 0);
    EXPECT_EQ(profile.owner, kOwner);
  }

  std::map<std::string, size_t> before_;
};

TEST_F(ProfileTest, IsInTheTablesAsItsImage) {
  RandomRules random(7);
  for (int i = 0; i < 20; ++i) {
    const RuleSet rules = random.Rules();
    const Profile profile = Upload(rules);
    EXPECT_NE(profile.id(), 0U);
    ExpectInForce(rules, profile.id());
    const Result<TableImage> image = BuildTableImage(rules, profile.id());
    const std::map<std::string, size_t> now = Entries();
    EXPECT_EQ(now.at("addresses4"), before_["addresses4"] + image->addresses4.keys.size());
    EXPECT_EQ(now.at("addresses6"), before_["addresses6"] + image->addresses6.keys.size());
    EXPECT_EQ(now.at("rows"), before_["rows"] + image->rows.keys.size());
    EXPECT_EQ(now.at("reasons"), before_["reasons"] + image->reasons.keys.size());
    EXPECT_EQ(now.at("profiles"), before_["profiles"] + 1);
  }
}

TEST_F(ProfileTest, TakesItsEntriesWithIt) {
  RandomRules random(8);
  {
    const Profile profile = Upload(random.Rules());
    EXPECT_NE(Entries(), before_);
  }
  EXPECT_EQ(Entries(), before_);
}

TEST_F(ProfileTest, IsRemovedOnceWhenMoved) {
  RandomRules random(9);
  const RuleSet rules = random.Rules();
  Profile first = Upload(rules);
  std::optional<Profile> second(std::move(first));
  ExpectInForce(rules, second->id());
  second.reset();
  EXPECT_EQ(Entries(), before_);
}

TEST_F(ProfileTest, DoesNotMixWithItsNeighbour) {
  RandomRules random(10);
  const RuleSet rules = random.Rules();
  const RuleSet others = random.Rules();
  const Profile profile = Upload(rules);
  const std::map<std::string, size_t> alone = Entries();
  {
    const Profile neighbour = Upload(others);
    EXPECT_NE(profile.id(), neighbour.id());
    ExpectInForce(rules, profile.id());
    ExpectInForce(others, neighbour.id());
  }
  ExpectInForce(rules, profile.id());
  EXPECT_EQ(Entries(), alone);
  // The other way to remove a neighbour, by looking through the tables.
  std::optional<Profile> second = Upload(others);
  ASSERT_TRUE(RemoveProfile(Objects(), second->id()));
  ExpectInForce(rules, profile.id());
  EXPECT_EQ(Entries(), alone);
}

TEST_F(ProfileTest, OfADeadOwnerIsFoundAndRemoved) {
  RandomRules random(11);
  const RuleSet rules = random.Rules();
  std::array<int, 2> ends = {-1, -1};
  ASSERT_EQ(pipe(ends.data()), 0);
  const UniqueFd told(ends[0]);
  const UniqueFd tell(ends[1]);
  const pid_t owner = fork();
  if (owner == 0) {
    const Profile profile = Upload(rules);
    const uint32_t id = profile.id();
    (void)!write(tell.get(), &id, sizeof(id));
    _exit(0);  // Without destructors, as a killed supervisor.
  }
  uint32_t id = 0;
  ASSERT_EQ(read(told.get(), &id, sizeof(id)), ssize_t{sizeof(id)});
  waitpid(owner, nullptr, 0);
  ExpectInForce(rules, id);
  EXPECT_TRUE(RemoveProfile(Objects(), id));
  EXPECT_EQ(Entries(), before_);
  EXPECT_TRUE(RemoveProfile(Objects(), id)) << "absence is success";
}

TEST_F(ProfileTest, HoldsTwentyThousandPrefixes) {
  constexpr size_t kPrefixes = 20'000;
  RuleSet rules = {
      .prefixes = {}, .classes = {{}, {}}, .reasons = {{.layers = {{policy::Layer::kCaller, {}}}}}};
  for (size_t i = 0; i < kPrefixes; ++i) {
    rules.prefixes.push_back({.is_ipv6 = false,
                              .length = 32,
                              .bytes = {10, static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i)},
                              .address_class = 1});
  }
  const Profile profile = Upload(rules);
  EXPECT_EQ(Entries().at("addresses4"), before_["addresses4"] + kPrefixes + 1);
  ExpectInForce(rules, profile.id());
}

TEST_F(ProfileTest, LeavesNothingWhereATableIsFull) {
  RuleSet greedy = {
      .prefixes = {}, .classes = {{}}, .reasons = {{.layers = {{policy::Layer::kCaller, {}}}}}};
  greedy.reasons.assign(PALYRA_MAX_REASONS, greedy.reasons[0]);
  const Profile everything = Upload(greedy);
  const std::map<std::string, size_t> full = Entries();
  EXPECT_EQ(full.at("reasons"), size_t{PALYRA_MAX_REASONS});

  // Its rows are written before its reasons do not fit.
  RandomRules random(12);
  RuleSet rules = random.Rules();
  while (BuildTableImage(rules, 1)->rows.keys.empty()) rules = random.Rules();
  const Result<Profile> refused = Profile::Upload(Objects(), rules, kOwner);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kExhausted);
  EXPECT_NE(refused.error().message.find("\"reasons\""), std::string::npos);
  EXPECT_EQ(Entries(), full);
}

}  // namespace
}  // namespace palyra::engine
