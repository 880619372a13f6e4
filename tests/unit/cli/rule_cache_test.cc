// Rules that are kept: found while they hold, and never where anybody else could have written.

#include "cli/rule_cache.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "cli/run_rules.h"
#include "policy/datetime.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/cli/load_layers.h"

namespace palyra::cli {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kNow = 1'800'000'000'000;

base::Sha256Digest Key(uint8_t number) {
  base::Sha256Digest key = {};
  key[0] = number;
  return key;
}

CachedRules Entry(std::optional<int64_t> until = std::nullopt, size_t ids = 1) {
  CachedRules entry{
      .compiled_ms = kNow, .rules = {}, .warnings = "a warning\n", .may_deny_start = true};
  entry.rules.classes.resize(1);
  entry.rules.reasons = {{.layers = {{.layer = policy::Layer::kCaller, .policy_ids = {}}}},
                         {.layers = {{.layer = policy::Layer::kCaller,
                                      .policy_ids = std::vector<std::string>(ids, "policy0")}}}};
  entry.rules.valid_until_ms = until;
  return entry;
}

class RuleCacheTest : public testing::Test {
 protected:
  [[nodiscard]] std::string PathOf(uint8_t number) const {
    return directory_.Path("run/rules/" + base::HexText(Key(number)));
  }
  [[nodiscard]] size_t Count() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(directory_.Path("run/rules")),
                                             fs::directory_iterator()));
  }

  const tests::TempDir directory_;
  const RuleCache cache_{directory_.Path("run/rules")};
};

TEST_F(RuleCacheTest, FindsWhatWasStored) {
  EXPECT_FALSE(cache_.Find(Key(1), kNow));
  cache_.Store(Key(1), Entry());
  const auto found = cache_.Find(Key(1), kNow);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->rules, Entry().rules);
  EXPECT_EQ(found->warnings, "a warning\n");
  EXPECT_EQ(found->compiled_ms, kNow);
  EXPECT_TRUE(found->may_deny_start);
  EXPECT_FALSE(cache_.Find(Key(2), kNow));
  EXPECT_EQ(Count(), 1U) << "nothing unfinished is left";
}

TEST_F(RuleCacheTest, FindsItOnlyWhileItHolds) {
  cache_.Store(Key(1), Entry(kNow + 10));
  EXPECT_TRUE(cache_.Find(Key(1), kNow));
  EXPECT_TRUE(cache_.Find(Key(1), kNow + 9));
  EXPECT_FALSE(cache_.Find(Key(1), kNow + 10));
  EXPECT_FALSE(cache_.Find(Key(1), kNow - 1)) << "the clock was set back";
  cache_.Store(Key(1), Entry());
  EXPECT_TRUE(cache_.Find(Key(1), kNow + 10)) << "the next takes its place";
}

TEST_F(RuleCacheTest, IsForItsOwnerAlone) {
  cache_.Store(Key(1), Entry());
  struct stat status;
  ASSERT_EQ(stat(directory_.Path("run/rules").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700U);
  ASSERT_EQ(stat(PathOf(1).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);

  ASSERT_EQ(chmod(PathOf(1).c_str(), 0620), 0);
  EXPECT_FALSE(cache_.Find(Key(1), kNow));
  ASSERT_EQ(chmod(PathOf(1).c_str(), 0600), 0);
  EXPECT_TRUE(cache_.Find(Key(1), kNow));
  ASSERT_EQ(chmod(directory_.Path("run/rules").c_str(), 0770), 0);
  EXPECT_FALSE(cache_.Find(Key(1), kNow));
  cache_.Store(Key(2), Entry());
  EXPECT_FALSE(fs::exists(PathOf(2)));
}

TEST_F(RuleCacheTest, BelievesNoOtherOwner) {
  if (geteuid() != 0) GTEST_SKIP() << "only root gives files away";
  cache_.Store(Key(1), Entry());
  ASSERT_EQ(chown(PathOf(1).c_str(), 1, 1), 0);
  EXPECT_FALSE(cache_.Find(Key(1), kNow));
  ASSERT_EQ(chown(PathOf(1).c_str(), 0, 0), 0);
  EXPECT_TRUE(cache_.Find(Key(1), kNow));
  ASSERT_EQ(chown(directory_.Path("run").c_str(), 1, 1), 0);
  EXPECT_FALSE(cache_.Find(Key(1), kNow)) << "whoever owns a directory can replace what is in it";
}

TEST_F(RuleCacheTest, FollowsNoLink) {
  cache_.Store(Key(1), Entry());
  cache_.Store(Key(2), Entry());
  fs::rename(PathOf(1), directory_.Path("elsewhere"));
  fs::create_symlink(directory_.Path("elsewhere"), PathOf(1));
  EXPECT_FALSE(cache_.Find(Key(1), kNow));
  EXPECT_TRUE(cache_.Find(Key(2), kNow));
}

TEST_F(RuleCacheTest, UsesNothingThatIsNotWholeAndReplacesIt) {
  cache_.Store(Key(1), Entry());
  const std::string good = tests::ReadText(PathOf(1));
  const auto put = [&](const std::string& bytes) {
    std::ofstream(PathOf(1), std::ios::trunc) << bytes;
  };
  for (size_t size = 0; size < good.size(); ++size) {
    put(good.substr(0, size));
    ASSERT_FALSE(cache_.Find(Key(1), kNow)) << size;
  }
  put(good + 'x');
  EXPECT_FALSE(cache_.Find(Key(1), kNow));
  // Of another key.
  fs::copy_file(PathOf(1), PathOf(2));
  put(good);
  fs::copy_file(PathOf(1), PathOf(3));
  EXPECT_FALSE(cache_.Find(Key(2), kNow));
  EXPECT_FALSE(cache_.Find(Key(3), kNow));
  EXPECT_TRUE(cache_.Find(Key(1), kNow));
  cache_.Store(Key(3), Entry());
  EXPECT_TRUE(cache_.Find(Key(3), kNow));
}

TEST_F(RuleCacheTest, KeepsTheLastUsedWithinItsBounds) {
  for (uint8_t number = 0; number < RuleCache::kMostEntries; ++number) {
    cache_.Store(Key(number), Entry());
    // Two hours ago, each a second after the one before.
    const timespec past[2] = {{.tv_sec = kNow / 1000 + number, .tv_nsec = 0},
                              {.tv_sec = 1'000'000 + number, .tv_nsec = 0}};
    ASSERT_EQ(utimensat(AT_FDCWD, PathOf(number).c_str(), past, 0), 0);
  }
  EXPECT_EQ(Count(), RuleCache::kMostEntries);
  EXPECT_TRUE(cache_.Find(Key(0), kNow)) << "it is used now";
  cache_.Store(Key(200), Entry());
  EXPECT_EQ(Count(), RuleCache::kMostEntries);
  EXPECT_TRUE(cache_.Find(Key(0), kNow));
  EXPECT_FALSE(cache_.Find(Key(1), kNow)) << "the one that was not used for longest";
  EXPECT_TRUE(cache_.Find(Key(2), kNow));

  // Each takes nearly as much as one may.
  const CachedRules large = Entry(std::nullopt, RuleCache::kMostOfOne / 16);
  for (uint8_t number = 0; number < 8; ++number) cache_.Store(Key(number), large);
  uintmax_t total = 0;
  for (const auto& file : fs::directory_iterator(directory_.Path("run/rules"))) {
    total += file.file_size();
  }
  EXPECT_LE(total, RuleCache::kMostBytes);
  EXPECT_TRUE(cache_.Find(Key(7), kNow));
  cache_.Store(Key(201), Entry(std::nullopt, RuleCache::kMostOfOne / 8));
  EXPECT_FALSE(fs::exists(PathOf(201))) << "larger than one may be";
}

// One run's rules, by what they are made of.
class MakeRulesTest : public RuleCacheTest {
 protected:
  Result<RunRules> Make(const RuleCache* cache) const {
    RunFacts facts = facts_;
    facts.now = policy::Datetime(now_);
    Result<std::vector<LayerSources>> sources = ReadLayers(options_, policy::FileParts::kNone);
    if (!sources) return std::unexpected(sources.error());
    return MakeRules(options_, facts, places_, *std::move(sources), cache);
  }
  // Whether the next run with this finds what the last one left.
  bool IsThere() const {
    const Result<RunRules> made = Make(&cache_);
    const Result<RunRules> compiled = Make(nullptr);
    EXPECT_TRUE(made && compiled);
    if (!made || !compiled) return false;
    EXPECT_EQ(made->rules, compiled->rules);
    EXPECT_EQ(made->warnings, compiled->warnings);
    EXPECT_EQ(made->pins, compiled->pins);
    EXPECT_EQ(made->layers.Get().size(), compiled->layers.Get().size());
    EXPECT_EQ(made->layers.Get().back().policies[0].Label(),
              compiled->layers.Get().back().policies[0].Label());
    return made->was_there;
  }
  void Write(const std::string& text) { options_.policies = {directory_.Write("a.cedar", text)}; }

  RunOptions options_;
  RunFacts facts_{.workspace = "/home/a/src/app"};
  policy::Places places_ = kSomePlaces;
  int64_t now_ = kNow;
};

TEST_F(MakeRulesTest, AreFoundByTheNextRunWithTheirWarnings) {
  Write(
      "permit (principal, action == Palyra::Action::\"net.connect\", resource) when { "
      "resource.address == ip(\"10.0.0.0/8\") };");
  EXPECT_FALSE(IsThere());
  EXPECT_TRUE(IsThere());
  EXPECT_NE(Make(&cache_)->warnings.find("no address equals the range"), std::string::npos);
}

TEST_F(MakeRulesTest, AreOthersOfEverythingThatTheyDependOn) {
  Write("permit (principal, action == Palyra::Action::\"net.connect\", resource);");
  EXPECT_FALSE(IsThere());
  EXPECT_TRUE(IsThere());
  const RunOptions options = options_;
  const RunFacts facts = facts_;
  const policy::Places places = places_;
  const auto is_other = [&](const auto& change) {
    options_ = options;
    facts_ = facts;
    places_ = places;
    EXPECT_TRUE(IsThere());
    change();
    return !IsThere() && IsThere();
  };
  EXPECT_TRUE(is_other([&] { facts_.agent = "b"; }));
  EXPECT_TRUE(is_other([&] { facts_.tool = "git"; }));
  EXPECT_TRUE(is_other([&] { facts_.traits.sensitivity = "high"; }));
  EXPECT_TRUE(is_other([&] { facts_.traits.capabilities = {"secrets"}; }));
  EXPECT_TRUE(is_other([&] { facts_.tier = "guard"; }));
  EXPECT_TRUE(is_other([&] { facts_.workspace = "/b"; }));
  EXPECT_TRUE(is_other([&] { places_.workspace = "/b"; }));
  EXPECT_TRUE(is_other([&] { places_.home = "/b"; }));
  EXPECT_TRUE(is_other([&] { places_.tmp = "/b"; }));
  EXPECT_TRUE(is_other([&] { options_.egress = policy::EgressEnforcementMode::kNone; }));
  EXPECT_TRUE(is_other([&] { options_.unix_rules = {"/run/x.sock"}; }));
  EXPECT_TRUE(is_other([&] { options_.entities = directory_.Write("e.json", "[]"); }));
  EXPECT_TRUE(is_other([&] { options_.schema = directory_.Write("s.cedarschema", ""); }));
  // The same text under another name is named otherwise where it denies.
  EXPECT_TRUE(is_other([&] {
    options_.policies = {directory_.Write("b.cedar", tests::ReadText(options.policies[0]))};
  }));
  EXPECT_TRUE(is_other(
      [&] { Write("permit (principal, action == Palyra::Action::\"net.send\", resource);"); }));
}

// What the registry says of the tool decides what a run of it may do.
TEST_F(MakeRulesTest, AreOthersOfASensitiveTool) {
  Write(
      "permit (principal, action == Palyra::Action::\"net.connect\", resource) "
      "unless { context.tool.sensitivity == \"high\" };");
  const policy::RuleSet plain = Make(&cache_)->rules;
  facts_.traits.sensitivity = "high";
  const policy::RuleSet sensitive = Make(&cache_)->rules;
  EXPECT_NE(plain, sensitive);
  EXPECT_EQ(Make(nullptr)->rules, sensitive);
}

TEST_F(MakeRulesTest, EndWithTheirTime) {
  const std::string until = policy::Datetime(kNow + 1000).ToString().value();
  Write(
      "permit (principal, action == Palyra::Action::\"net.connect\", resource) when { "
      "context has now && context.now < datetime(\"" +
      until + "\") };");
  EXPECT_FALSE(IsThere());
  EXPECT_TRUE(IsThere());
  now_ = kNow + 999;
  EXPECT_TRUE(IsThere());
  now_ = kNow + 1000;
  EXPECT_FALSE(IsThere()) << "the boundary";
  EXPECT_TRUE(IsThere());
  now_ = kNow;
  EXPECT_FALSE(IsThere()) << "the clock was set back before the boundary";
}

// Which names there are to pin is not kept.
TEST_F(MakeRulesTest, AreCompiledAlwaysWhereNamesAreResolvedBefore) {
  options_.egress = policy::EgressEnforcementMode::kPreflight;
  Write(
      "permit (principal, action == Palyra::Action::\"net.connect\", "
      "resource in Palyra::Domain::\"a.example\");");
  EXPECT_FALSE(IsThere());
  EXPECT_FALSE(IsThere());
  EXPECT_EQ(Make(&cache_)->pins, PinnedNames{"a.example"});
}

TEST(BuildIdTest, IsThere) { EXPECT_GE(BuildId().size(), 8U); }

}  // namespace
}  // namespace palyra::cli
